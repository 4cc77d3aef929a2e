"""Curves over time as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import htpy as h
from htpy import Element

from driftline.backtest.report.schema import AccuracyPart, BacktestReport, ChartsPart, PsiTrack
from monitor.clock import to_datetime, to_millis
from monitor.types import Tier
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS

WIDTH, LEFT, RIGHT = 1096, 160, 96
TICKS_AT_MOST = 10
_STEPS = tuple(hours * HOUR_MILLIS for hours in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 8760, 17520))
_WITH_YEAR = timedelta(days=100) // timedelta(milliseconds=1)

HEIGHT, TOP, LABEL = 118.0, 10.0, 12.5
NAME_FITS = 18
TIERS = tuple(tier.word for tier in Tier if tier)
Point = tuple[float, float]


def svg_attributes(**coordinates: float) -> dict[str, str]:
    """Return attributes of an SVG element, to a hundredth of a pixel."""
    return {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in coordinates.items()}


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From *start* to *stop* (ms) between the margins of a chart."""

    start: int
    stop: int

    def x(self, moment: float) -> float:
        """Return where *moment* (ms) is, no further out than the margins."""
        share = (moment - self.start) / (self.stop - self.start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> tuple[tuple[int, str], ...]:
        """Return round moments (ms, UTC) with their labels."""
        span = self.stop - self.start
        step = next((candidate for candidate in _STEPS if span / candidate <= TICKS_AT_MOST), _STEPS[-1])
        first = -(-self.start // step) * step
        return tuple((moment, _label(to_datetime(moment), step)) for moment in range(first, self.stop + 1, step))

    def grid(self, *, top: float, bottom: float) -> list[Element]:
        """Return a vertical line at each tick."""
        places = (self.x(moment) for moment, _ in self.ticks())
        return [h.line(".grid", svg_attributes(x1=x, x2=x, y1=top, y2=bottom)) for x in places]

    def labels(self, *, y: float) -> list[Element]:
        """Return the ticks' labels, and at the end the zone."""
        labels = [
            h.text(svg_attributes(x=self.x(moment), y=y), text_anchor="middle")[label] for moment, label in self.ticks()
        ]
        return [*labels, h.text(".faint", svg_attributes(x=WIDTH, y=y), text_anchor="end")["UTC"]]


def time_axis(charts: ChartsPart) -> TimeAxis:
    """Return the axis of a report's charts."""
    start = millis_of(charts.start)
    return TimeAxis(start, start + charts.buckets * charts.bucket_minutes * MINUTE_MILLIS)


def millis_of(moment: str) -> int:
    """Return an RFC 3339 time in epoch milliseconds."""
    return to_millis(datetime.fromisoformat(moment))


def _label(moment: datetime, step: int) -> str:
    if step < 24 * HOUR_MILLIS and moment.hour:
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b}" + (f" {moment:%Y}" if step > _WITH_YEAR else "")


def psi_chart(report: BacktestReport, track: PsiTrack, *, labelled: bool) -> Element:
    """Return the chart of one column; *labelled*: with the axis of time below."""
    axis, tiers = time_axis(report.charts), {name: getattr(report.rule, name) for name in TIERS}
    most = max((value for value in track.psi if value is not None), default=0.0)
    top = max(tiers["critical"] * 1.15, min(most * 1.1, tiers["critical"] * 4))
    scale = _Scale(0.0, top)
    bucket = report.charts.bucket_minutes * MINUTE_MILLIS
    middles = [axis.x(axis.start + (number + 0.5) * bucket) for number in range(len(track.psi))]
    curve = [None if psi is None else (x, scale.y(psi)) for x, psi in zip(middles, track.psi, strict=True)]
    half = (middles[0] - LEFT) if middles else 0.0
    proven = [
        h.rect(svg_attributes(x=x - half, y=scale.y(low), width=2 * half, height=HEIGHT - scale.y(low), opacity=0.45),
               class_=_tier(low, tiers))[h.title[f"proven: {low:.2f}"]]
        for x, low in zip(middles, track.proven, strict=True) if low is not None and low > tiers["warning"]
    ]  # fmt: skip
    version = f", version {track.version}" if len(report.history.versions) > 1 else ""
    head = [
        h.text(".strong", svg_attributes(x=0, y=TOP + 10))[h.title[track.column], clipped(track.column)],
        h.text(".faint", svg_attributes(x=0, y=TOP + 25))[clipped(f"PSI at {track.scale}{version}")],
        h.text(".faint", svg_attributes(x=0, y=TOP + 39))[f"largest {most:.2f}"],
    ]
    beyond = (
        h.text(".critical", svg_attributes(x=_peak(curve, track), y=TOP - 1))[f"▲ {most:.1f}"] if most > top else None
    )
    lines = _levels(scale, [(tier, name, f"{name} {tier:g}") for name, tier in tiers.items()])
    body = [head, _values(scale, (0.0, _round_under(top))), lines, proven, _curve(curve), beyond]
    return _chart(axis, body, labelled=labelled, label=f"PSI of {track.column} over time")


def accuracy_chart(report: BacktestReport, accuracy: AccuracyPart) -> Element:
    """Return accuracy with its interval, the reference's and the floor."""
    axis = time_axis(report.charts)
    marks = [value for value in (accuracy.reference_accuracy, accuracy.floor) if value is not None]
    low = min([*(point.low for point in accuracy.points), *marks])
    high = max([*(point.high for point in accuracy.points), *marks])
    room = max((high - low) * 0.08, 0.005)
    scale = _Scale(max(low - room, 0.0), min(high + room, 1.0))
    points = [(axis.x(millis_of(point.end)), point) for point in accuracy.points]
    bars = [
        h.line(".series", svg_attributes(x1=x, x2=x, y1=scale.y(point.low), y2=scale.y(point.high), opacity=0.35))
        for x, point in points
    ]
    levels: list[tuple[float, str, str]] = []
    if accuracy.floor is not None:
        levels.append((accuracy.floor, "critical", f"floor {accuracy.floor:g}"))
    if accuracy.reference_accuracy is not None:
        levels.append((accuracy.reference_accuracy, "reference", f"reference {accuracy.reference_accuracy:.3f}"))
    head = [
        h.text(".strong", svg_attributes(x=0, y=TOP + 10))["Accuracy"],
        h.text(".faint", svg_attributes(x=0, y=TOP + 25))[f"windows of {accuracy.scale}"],
    ]
    curve = _curve([(x, scale.y(point.accuracy)) for x, point in points])
    ends = _values(scale, (scale.low, scale.high), digits=3)
    body = [head, ends, _levels(scale, sorted(levels)), bars, curve]
    return _chart(axis, body, labelled=True, label="Accuracy over time")


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values between *low* and *high* on the height of a chart."""

    low: float
    high: float

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return TOP + (1.0 - min(max(share, 0.0), 1.0)) * (HEIGHT - TOP)


def _chart(axis: TimeAxis, body: h.Node, *, labelled: bool, label: str) -> Element:
    height = HEIGHT + (24 if labelled else 6)
    return h.svg(viewBox=f"0 0 {WIDTH} {height:.0f}", role="img", aria_label=label)[
        axis.grid(top=TOP, bottom=HEIGHT),
        horizontal_line(HEIGHT),
        body,
        axis.labels(y=HEIGHT + 16) if labelled else None,
    ]


def horizontal_line(y: float) -> Element:
    """Return a horizontal line between the margins."""
    return h.line(".rule", svg_attributes(x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))


def _levels(scale: _Scale, levels: Sequence[tuple[float, str, str]]) -> Iterator[Element]:
    """Yield a line and its label for each (value, class, text), lowest first; labels keep clear of each other."""
    above = HEIGHT + 2 * LABEL
    for value, name, text in levels:
        y = scale.y(value)
        above = min(y + 4, above - LABEL)
        yield h.line(svg_attributes(x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y), class_=f"tier {name}")
        yield h.text(svg_attributes(x=WIDTH - RIGHT + 6, y=above), class_=name, font_size=11)[text]


def _round_under(top: float) -> float:
    """Return the largest tenth (or half, or whole) under the top of the scale."""
    step = 0.1 if top < 1 else 0.5 if top < 5 else 1.0
    return max(int(top / step - 0.3), 1) * step


def _values(scale: _Scale, values: Sequence[float], *, digits: int = 2) -> list[Element]:
    return [
        h.text(".faint", svg_attributes(x=LEFT - 8, y=scale.y(value) + 4), text_anchor="end")[
            f"{value:.{digits}f}".removesuffix(".00")
        ]
        for value in values
    ]


def _curve(points: Sequence[Point | None]) -> Iterator[Element]:
    """Yield a line for each stretch without gaps; a point that stands alone is a dot."""
    for is_gap, stretch in groupby(points, key=lambda point: point is None):
        run = [point for point in stretch if point is not None]
        if len(run) == 1:
            yield h.circle(".lone", svg_attributes(cx=run[0][0], cy=run[0][1], r=1.6))
        elif not is_gap:
            yield h.path(".series", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run))


def clipped(text: str) -> str:
    """Return as much of *text* as fits left of a chart."""
    return text if len(text) <= NAME_FITS else text[: NAME_FITS - 1] + "…"


def _tier(value: float, tiers: dict[str, float]) -> str:
    return max((name for name in TIERS if value > tiers[name]), key=TIERS.index, default=Tier.WARNING.word)


def _peak(curve: Sequence[Point | None], track: PsiTrack) -> float:
    point = curve[max(range(len(track.psi)), key=lambda number: track.psi[number] or 0.0)]
    return LEFT if point is None else min(point[0] + 4, WIDTH - RIGHT - 40)

"""Curves over time as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from xml.etree.ElementTree import Element

from driftline.backtest.page.html import element
from driftline.backtest.report.schema import AccuracyPart, BacktestReport, ChartsPart, PsiTrack
from monitor.clock import to_datetime, to_millis
from monitor.types import Tier
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS

WIDTH, LEFT, RIGHT = 1096, 160, 96
TICKS_AT_MOST = 10
_STEPS = tuple(hours * HOUR_MILLIS for hours in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 8760, 17520))

HEIGHT, TOP, LABEL = 118.0, 10.0, 12.5
NAME_FITS = 18
TIERS = tuple(tier.word for tier in Tier if tier)
Point = tuple[float, float]


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
        return tuple((at, _label(to_datetime(at), step)) for at in range(first, self.stop + 1, step))

    def grid(self, *, top: float, bottom: float) -> list[Element]:
        """Return a vertical line at each tick."""
        return [
            element("line", class_="grid", x1=self.x(at), x2=self.x(at), y1=top, y2=bottom) for at, _ in self.ticks()
        ]

    def labels(self, *, y: float) -> list[Element]:
        """Return the ticks' labels, and at the end the zone."""
        found = [element("text", label, x=self.x(at), y=y, text_anchor="middle") for at, label in self.ticks()]
        return [*found, element("text", "UTC", class_="faint", x=WIDTH, y=y, text_anchor="end")]


def time_axis(charts: ChartsPart) -> TimeAxis:
    """Return the axis of a report's charts."""
    start = millis_of(charts.start)
    return TimeAxis(start, start + charts.buckets * charts.bucket_minutes * MINUTE_MILLIS)


def millis_of(at: str) -> int:
    """Return an RFC 3339 time in epoch milliseconds."""
    return to_millis(datetime.fromisoformat(at))


def _label(moment: datetime, step: int) -> str:
    if step < 24 * HOUR_MILLIS:
        return f"{moment:%H:%M}" if moment.hour else f"{moment.day} {moment:%b}"
    return f"{moment.day} {moment:%b}" + (
        f" {moment:%Y}" if step > timedelta(days=100) / timedelta(milliseconds=1) else ""
    )


def psi_chart(report: BacktestReport, track: PsiTrack, *, labelled: bool) -> Element:
    """Return the chart of one column; *labelled*: with the axis of time below."""
    axis, tiers = time_axis(report.charts), {name: getattr(report.rule, name) for name in TIERS}
    values = [value for value in track.psi if value is not None]
    most = max(values, default=0.0)
    top = max(tiers["critical"] * 1.15, min(most * 1.1, tiers["critical"] * 4))
    scale = _Scale(0.0, top)
    middles = [axis.start + (n + 0.5) * report.charts.bucket_minutes * MINUTE_MILLIS for n in range(len(track.psi))]
    curve = [None if psi is None else (axis.x(at), scale.y(psi)) for at, psi in zip(middles, track.psi, strict=True)]
    half = (axis.x(middles[0]) - axis.x(axis.start)) if middles else 0.0
    proven = [
        element("rect", element("title", f"proven: {low:.2f}"), class_=_tier(low, tiers), x=axis.x(at) - half,
                y=scale.y(low), width=2 * half, height=scale.y(0) - scale.y(low), opacity=0.45)
        for at, low in zip(middles, track.proven, strict=True) if low is not None and low > tiers["warning"]
    ]  # fmt: skip
    version = f", version {track.version}" if len(report.history.versions) > 1 else ""
    head = [
        element("text", element("title", track.column), clipped(track.column), class_="strong", x=0, y=TOP + 10),
        element("text", clipped(f"PSI at {track.scale}{version}"), class_="faint", x=0, y=TOP + 25),
        element("text", f"largest {most:.2f}", class_="faint", x=0, y=TOP + 39),
    ]
    beyond = (
        [element("text", f"▲ {most:.1f}", class_="critical", x=_peak(curve, track), y=TOP - 1)] if most > top else []
    )
    lines = _levels(scale, [(tier, name, f"{name} {tier:g}") for name, tier in tiers.items()])
    body = [*head, *_values(scale, (0.0, _round_under(top))), *lines, *proven, *_curve(curve), *beyond]
    return _chart(axis, body, labelled=labelled, label=f"PSI of {track.column} over time")


def accuracy_chart(report: BacktestReport, accuracy: AccuracyPart) -> Element:
    """Return accuracy with its interval, the reference's and the floor."""
    axis = time_axis(report.charts)
    lows, highs = [point.low for point in accuracy.points], [point.high for point in accuracy.points]
    marks = [value for value in (accuracy.reference_accuracy, accuracy.floor) if value is not None]
    low, high = min([*lows, *marks]), max([*highs, *marks])
    room = max((high - low) * 0.08, 0.005)
    scale = _Scale(max(low - room, 0.0), min(high + room, 1.0))
    points = [(axis.x(millis_of(point.end)), point) for point in accuracy.points]
    bars = [
        element("line", class_="series", x1=x, x2=x, y1=scale.y(point.low), y2=scale.y(point.high), opacity=0.35)
        for x, point in points
    ]
    levels: list[tuple[float, str, str]] = []
    if accuracy.floor is not None:
        levels.append((accuracy.floor, "critical", f"floor {accuracy.floor:g}"))
    if accuracy.reference_accuracy is not None:
        levels.append((accuracy.reference_accuracy, "reference", f"reference {accuracy.reference_accuracy:.3f}"))
    head = [
        element("text", "Accuracy", class_="strong", x=0, y=TOP + 10),
        element("text", f"windows of {accuracy.scale}", class_="faint", x=0, y=TOP + 25),
    ]
    curve = _curve([(x, scale.y(point.accuracy)) for x, point in points])
    ends = _values(scale, (scale.low, scale.high), digits=3)
    return _chart(
        axis, [*head, *ends, *_levels(scale, sorted(levels)), *bars, *curve], labelled=True, label="Accuracy over time"
    )


class _Scale:
    """Values between *low* and *high* on the height of a chart."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return TOP + (1.0 - min(max(share, 0.0), 1.0)) * (HEIGHT - TOP)


def _chart(axis: TimeAxis, body: Sequence[Element], *, labelled: bool, label: str) -> Element:
    base = element("line", class_="rule", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT, y2=HEIGHT)
    below = axis.labels(y=HEIGHT + 16) if labelled else []
    height = HEIGHT + (24 if labelled else 6)
    grid = axis.grid(top=TOP, bottom=HEIGHT)
    return element("svg", *grid, base, *body, *below, viewBox=f"0 0 {WIDTH} {height:.0f}", role="img", aria_label=label)


def _levels(scale: _Scale, levels: Sequence[tuple[float, str, str]]) -> Iterator[Element]:
    """Yield a line and its label for each (value, class, text), lowest first; labels keep clear of each other."""
    above = HEIGHT + 2 * LABEL
    for value, name, text in levels:
        y = scale.y(value)
        above = min(y + 4, above - LABEL)
        yield element("line", class_=f"tier {name}", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        yield element("text", text, class_=name, font_size=11, x=WIDTH - RIGHT + 6, y=above)


def _round_under(top: float) -> float:
    """Return the largest tenth (or half, or whole) under the top of the scale."""
    step = 0.1 if top < 1 else 0.5 if top < 5 else 1.0
    return max(int(top / step - 0.3), 1) * step


def _values(scale: _Scale, values: Sequence[float], *, digits: int = 2) -> list[Element]:
    return [
        element(
            "text",
            f"{value:.{digits}f}".removesuffix(".00"),
            class_="faint",
            x=LEFT - 8,
            y=scale.y(value) + 4,
            text_anchor="end",
        )
        for value in values
    ]


def _curve(points: Sequence[Point | None]) -> Iterator[Element]:
    """Yield a line for each stretch without gaps; a point that stands alone is a dot."""
    for there, stretch in groupby(points, key=lambda point: point is not None):
        found = [point for point in stretch if point is not None]
        if there and len(found) == 1:
            yield element("circle", class_="lone", cx=found[0][0], cy=found[0][1], r=1.6)
        elif there:
            yield element("path", class_="series", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in found))


def clipped(text: str) -> str:
    """Return as much of *text* as fits beside a chart."""
    return text if len(text) <= NAME_FITS else text[: NAME_FITS - 1] + "…"


def _tier(value: float, tiers: dict[str, float]) -> str:
    return max((name for name in TIERS if value > tiers[name]), key=TIERS.index, default=Tier.WARNING.word)


def _peak(curve: Sequence[Point | None], track: PsiTrack) -> float:
    at = max(range(len(track.psi)), key=lambda number: track.psi[number] or 0.0)
    point = curve[at]
    return LEFT if point is None else min(point[0] + 4, WIDTH - RIGHT - 40)

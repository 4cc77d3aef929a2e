"""The axis of time that all charts of a page share."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element

from driftline.backtest.page.elements import element
from driftline.backtest.report_curves import ChartsPart
from monitor.clock import to_datetime, to_millis
from monitor.types import MINUTE_MILLIS

WIDTH, LEFT, RIGHT = 1096, 160, 96
TICKS_AT_MOST = 10
_HOUR = 3_600_000
_STEPS = tuple(hours * _HOUR for hours in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 8760, 17520))


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
        step = next((each for each in _STEPS if span / each <= TICKS_AT_MOST), _STEPS[-1])
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
    if step < 24 * _HOUR:
        return f"{moment:%H:%M}" if moment.hour else f"{moment.day} {moment:%b}"
    return f"{moment.day} {moment:%b}" + (
        f" {moment:%Y}" if step > timedelta(days=100) / timedelta(milliseconds=1) else ""
    )

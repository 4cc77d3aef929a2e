"""The values behind the unseen slot, by series, column and hour of event time; bounded whatever comes in."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor.reference.layout import canonical_category
from monitor.stats.heavy_hitters import FrequentValues, frequent_values
from monitor.store.unseen_values import VALUES_NAMED
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS

LONGEST_VALUE = 100
ROOM = 1000


class UnseenKey(NamedTuple):
    """Whose values: the whole of one version (segments have none of their own), a column, an hour's start (ms)."""

    series: SeriesKey
    column: str
    hour: int


@dataclass(slots=True)
class ValueTally:
    """Values counted since the last flush: at most `ROOM` and one batch's, halved when there are more."""

    counts: dict[str, int] = field(default_factory=dict)
    other: int = 0

    def add(self, values: Iterable[Any]) -> None:
        """Count raw categorical *values*."""
        for text, count in Counter(map(value_text, values)).items():
            self.counts[text] = self.counts.get(text, 0) + count
        if len(self.counts) > ROOM:
            kept = frequent_values(self.counts, other=self.other, capacity=ROOM // 2)
            self.counts, self.other = dict(kept.counts), kept.other

    def named(self) -> FrequentValues:
        """Return what a flush writes."""
        return frequent_values(self.counts, other=self.other, capacity=VALUES_NAMED)


def value_text(value: Any) -> str:
    """Return a value as it is named: at most 100 characters, what cannot be printed (or stored) spelled out."""
    text = canonical_category(value)[: LONGEST_VALUE + 1]
    if not text.isprintable():  # a space without a break, an escape of the terminal, half of a surrogate pair
        text = "".join(name if name.isprintable() else name.encode("unicode_escape").decode() for name in text)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def hour_of(start: int) -> int:
    """Return the start of the hour that the moment *start* (ms) is in."""
    return start // HOUR_MILLIS * HOUR_MILLIS

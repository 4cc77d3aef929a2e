"""The most frequent of many values in bounded room, however they come in and are put together."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FrequentValues:
    """A Misra–Gries summary of how often each of many values occurred.

    Attributes:
        counts: Values with their counts, the most frequent first, ties by text. A count of 0 is an example: the
            value occurred, too seldom to be counted.
        other: Occurrences that no count holds.
    """

    counts: tuple[tuple[str, int], ...] = ()
    other: int = 0

    @property
    def total(self) -> int:
        """Return all occurrences; exact."""
        return self.other + sum(count for _, count in self.counts)


def frequent_values(tally: Mapping[str, int], *, other: int = 0, capacity: int) -> FrequentValues:
    r"""Return the summary of *tally* in room for *capacity* values.

    With more values than room the count of the (capacity + 1)-th most frequent is taken off every value, and what
    falls to 0 goes, but for examples where less than three would be left. Each such step moves more than *capacity*
    times to `other` what it takes off one value, so that, in whatever order and grouping occurrences and summaries
    were added up,

    .. math:: f(v) - \frac{\mathrm{other}}{\mathrm{capacity} + 1} \le \mathrm{count}(v) \le f(v)

    for every value *v*, the count of one that is not there being 0. So all values of more than one
    (capacity + 1)-th of the occurrences are there, and with up to *capacity* distinct values every count is exact.

    Args:
        tally: Occurrences of each value.
        other: Occurrences that were given up before, in steps of at least this *capacity*.
        capacity: At least `EXAMPLES`.

    References:
        Misra & Gries (1982); merging: Agarwal, Cormode, Huang, Phillips, Wei & Yi (2013), *Mergeable Summaries*.
    """
    kept = dict(tally)
    if len(tally) > capacity:
        given_up = sorted(tally.values(), reverse=True)[capacity]
        kept = {value: count - given_up for value, count in tally.items() if count > given_up}
        other += sum(tally.values()) - sum(kept.values())
        examples = heapq.nsmallest(EXAMPLES - len(kept), (value for value in tally if value not in kept))
        kept |= dict.fromkeys(examples, 0)
    return FrequentValues(counts=tuple(sorted(kept.items(), key=lambda pair: (-pair[1], pair[0]))), other=other)


def merged_values(parts: Iterable[FrequentValues], *, capacity: int) -> FrequentValues:
    """Return the summary of everything that *parts* summarise; their capacities were at least this one."""
    tally: dict[str, int] = {}
    other = 0
    for part in parts:
        other += part.other
        for value, count in part.counts:
            tally[value] = tally.get(value, 0) + count
    return frequent_values(tally, other=other, capacity=capacity)

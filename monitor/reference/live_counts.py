"""Counts of live time on a reference's own bins: much shorter than its cells, and enough to see how columns move."""

import numpy as np
import numpy.typing as npt

from monitor.reference.cells import SLOTS
from monitor.reference.profile import ReferenceProfile
from monitor.reference.time_blocks import live_block_minutes

ROLLING_DAYS = 7
_TWO_HOURS = 120  # as in a reference from a table: its halves are hours, so blocks lie inside an hour

Integers = npt.NDArray[np.integer]


class CoarseOrder:
    """Where each count of a layout goes: for each column its bins, then its slots.

    Attributes:
        size: Length of the coarse vector.
        spans: For each column of the layout its start and stop in it.
    """

    def __init__(self, profile: ReferenceProfile) -> None:
        layout, bins = profile.layout, {each.name: each.bins for each in profile.columns}
        index = np.zeros(layout.size, dtype=np.intp)
        spans, start = [], 0
        for cells, span in zip(layout.columns, layout.spans, strict=True):
            # The latency is in no reference: all its cells are one bin, as `prepare` takes it.
            of_cells = np.array(bins.get(cells.name) or (0,) * cells.cells, dtype=np.intp)
            groups = int(of_cells.max()) + 1
            index[span.start : span.slots] = start + of_cells
            index[span.slots : span.stop] = start + groups + np.arange(SLOTS)
            spans.append((start, start + groups + SLOTS))
            start += groups + SLOTS
        self._index = index
        self.size = start
        self.spans = tuple(spans)

    def coarse(self, counts: Integers) -> npt.NDArray[np.int64]:
        """Return *counts*, shape ``(layout.size,)``, summed by bin and slot."""
        # In floats, which hold every count under 2^53 exactly: five times as fast as adding integers one by one.
        return np.bincount(self._index, weights=counts, minlength=self.size).astype(np.int64)


def block_minutes_of(profile: ReferenceProfile, *, lengths: tuple[int, ...]) -> int:
    """Return how long blocks of live time are, so that *lengths* (minutes) and their halves are made of them."""
    return live_block_minutes(
        lengths=(*lengths, _TWO_HOURS),
        counts_per_block=CoarseOrder(profile).size,
        span_minutes=ROLLING_DAYS * 1440,
    )

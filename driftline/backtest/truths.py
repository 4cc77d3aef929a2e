"""Past truths in the order in which they became known."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from consumers.identities import digest_text, prediction_digests, sampled
from driftline.backtest.history import identities
from monitor.arrays import Indices, Int64s
from monitor.errors import SpecError
from monitor.reference.arrow_columns import UncountableColumn, epoch_millis, text_column
from monitor.spec.model import ModelSpec
from monitor.store.flush import InboxRow
from monitor.types import PartitionKey

_SOURCE = PartitionKey("backtest-truths", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthTable:
    """Truths, sorted by `known_at` (epoch ms, shape ``(truths,)``).

    Attributes:
        ids: An Arrow array of texts, one for each truth.
        values: The distinct values; *codes*: which one each truth has.
    """

    known_at: Int64s
    ids: pa.ChunkedArray
    values: tuple[str, ...]
    codes: Indices

    def known_until(self, moment: int) -> int:
        """Return how many truths were known at *moment* (ms)."""
        return int(np.searchsorted(self.known_at, moment, side="right"))

    def moments(self, *, after: int, every: int) -> Iterator[int]:
        """Yield when to look for truths known after *after* (ms): the last of each *every* ms that has some."""
        later = self.known_at[self.known_until(after) :]
        if len(later):
            lasts = np.flatnonzero(np.diff(later // every, append=-1))
            yield from later[lasts].tolist()

    def inbox_rows(self, model_id: int, spec: ModelSpec, chosen: slice) -> tuple[InboxRow, ...]:
        """Return the *chosen* truths as ingest would have put them into the inbox: those of sampled predictions."""
        if chosen.start == chosen.stop:
            return ()
        digests = prediction_digests(spec.key, self.ids.slice(chosen.start, chosen.stop - chosen.start).to_pylist())
        kept = np.flatnonzero(sampled(digests, spec.sample_rate)).tolist()
        return tuple(
            InboxRow(
                model_id=model_id,
                prediction_hash=digest_text(digests[index]),
                known_at=int(self.known_at[chosen.start + index]),
                value=self.values[self.codes[chosen.start + index]],
                prediction_time=None,
                source=_SOURCE,
                offset=chosen.start + index,
            )
            for index in kept
        )


def truths_of(
    table: pa.Table, *, identity: str, truth: str, known: str, delay_millis: int = 0, source: str
) -> TruthTable:
    """Return the rows of *table* that have a truth.

    Args:
        identity, truth: Columns with the prediction's id and with what turned out to be true.
        known: Column with times; a truth was known *delay_millis* after its own.

    Raises:
        SpecError: Columns that are not there or hold something else.
    """
    absent = [name for name in (identity, truth, known) if name not in table.column_names]
    if absent:
        columns = ", ".join(table.column_names)
        raise SpecError(source, tuple(f"column {name!r}: expected one of {columns}; found none" for name in absent))
    column = truth
    try:
        spelled = text_column(table[truth])
        there = np.flatnonzero(spelled.codes >= 0)
        if not len(there):
            raise UncountableColumn("expected truths, found none")
        column = known
        times = epoch_millis(table[known].take(pa.array(there))) + delay_millis
    except UncountableColumn as error:
        raise SpecError(source, (f"column {column!r}: {error}",)) from error
    order = np.argsort(times, kind="stable")
    return TruthTable(
        known_at=times[order],
        ids=identities(table[identity]).take(pa.array(there[order])),
        values=spelled.categories,
        codes=spelled.codes[there[order]],
    )

"""Reads the rows to replay: predictions, each with its truth if one is known."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from driftline.replay.events import require_columns
from monitor.errors import SpecError
from monitor.reference.arrow_columns import read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRows:
    """The predictions' table, and each row's identity and truth, None where none is known."""

    table: pa.Table
    identities: list[object]
    truths: list[object]

    @property
    def events(self) -> int:
        """How many events the rows become."""
        return int(self.table.num_rows) + sum(truth is not None for truth in self.truths)


def read_rows(
    predictions: Path, truths: Path | None, *, identity: str, truth: str | None, limit: int | None
) -> ReplayRows:
    """Return the first *limit* rows of *predictions*, with the truths of *truths* or of the same file.

    Raises:
        SpecError: A file or column is not there or unreadable, or there are truths without a column named.
    """
    if truths is not None and truth is None:
        raise SpecError(str(truths), ("expected --truth COL with --truths, found none",))
    table = read_table(predictions)
    table = table if limit is None else table.slice(0, limit)
    require_columns(table, (identity,), source=str(predictions))
    identities = table[identity].to_pylist()
    if truth is None:
        return ReplayRows(table=table, identities=identities, truths=[None] * len(identities))
    if truths is None:
        require_columns(table, (truth,), source=str(predictions))
        return ReplayRows(table=table, identities=identities, truths=table[truth].to_pylist())
    other = read_table(truths)
    require_columns(other, (identity, truth), source=str(truths))
    by_id = dict(zip(other[identity].to_pylist(), other[truth].to_pylist(), strict=True))
    return ReplayRows(table=table, identities=identities, truths=[by_id.get(name) for name in identities])

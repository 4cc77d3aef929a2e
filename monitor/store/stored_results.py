"""Results of windows as rows hold them: packed next to the cells' column names, or, in old rows, as JSON text."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from monitor.errors import CorruptResultError
from monitor.findings import WindowResult
from monitor.packed_result import decode_result, unpack_result
from monitor.store.schema import cells, evaluation, performance_evaluation

# What a query selects, next to a join of `cells`, for `stored_result` to read.
RESULT_COLUMNS = (evaluation.c.packed, evaluation.c.result, cells.c.column_names)
ACCURACY_COLUMNS = (performance_evaluation.c.packed, performance_evaluation.c.result)


def stored_result(packed: bytes | None, text: str | None, names: Sequence[str] | None = None) -> WindowResult:
    """Return the result that a row holds, *names* being the `column_names` of its cells, if it has any.

    Raises:
        CorruptResultError: It holds none.
    """
    if packed is not None:
        return unpack_result(packed, () if names is None else names)
    if text is not None:
        return decode_result(text)
    raise CorruptResultError("stored result: expected packed bytes or the text of the version before, found neither")


def column_names(connection: sa.Connection, cells_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names of the columns of each of these cells; empty for those that do not say them."""
    query = sa.select(cells.c.id, cells.c.column_names).where(cells.c.id == sa.func.any(sorted(cells_ids)))
    return {row.id: tuple(row.column_names or ()) for row in connection.execute(query)}

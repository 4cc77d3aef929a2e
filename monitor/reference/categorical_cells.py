"""Cells of a categorical column: one for each category of the reference."""

from monitor.errors import EmptySampleError
from monitor.reference.cells import ColumnCells, ColumnRole
from monitor.reference.column_values import Texts, UncountableColumn, is_number
from monitor.spec import ColumnKind

MAXIMUM_CATEGORIES = 1000
LOOKED_AT = 10_000


def categorical_cells(texts: Texts, *, name: str, role: ColumnRole = ColumnRole.FEATURE) -> ColumnCells:
    """Return one cell per category, in the order of their texts.

    Raises:
        EmptySampleError: There are no categories.
        UncountableColumn: There are more than `MAXIMUM_CATEGORIES`. None is silently called unseen; the message says
            what such columns usually are.
    """
    found = texts.categories
    if not found:
        raise EmptySampleError(f"{name}: a column without categories has no cells")
    if len(found) > MAXIMUM_CATEGORIES:
        raise UncountableColumn(
            f"expected at most {MAXIMUM_CATEGORIES} categories, found {len(found)}{_likely_cause(found)}"
        )
    return ColumnCells(name=name, kind=ColumnKind.CATEGORICAL, role=role, categories=found)


def _likely_cause(found: tuple[str, ...]) -> str:
    looked_at = found[:: max(1, len(found) // LOOKED_AT)]  # of a million one by one would take seconds
    other = [text for text in looked_at if not is_number(text)]
    if len(other) <= len(looked_at) // 2:
        example = f", but {other[0]!r} is none" if other else ""
        return f" (mixed types? {len(looked_at) - len(other)} of {len(looked_at)} are numbers{example})"
    return f" (an identifier or free text? for example {found[0]!r})"

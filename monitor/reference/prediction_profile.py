"""A version's own reference of its prediction, out of a whole profile: whether it can be compared, and its counts."""

from shlex import quote

import numpy as np

from monitor.arrays import Int64s
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnSpan, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind
from monitor.units import MINUTE_MILLIS


def prediction_problems(
    profile: ReferenceProfile, layout: CellsLayout, *, model: str, min_events: int, version: str | None = None
) -> tuple[str, ...]:
    """Return why *profile* is no reference for the prediction of a version counted on *layout*; empty where it is one.

    Only counts on the very same cells can be compared exactly; a profile holds no rows to count once more.

    Args:
        model: As people write it.
        min_events: Of the spec: fewer values prove nothing.
        version: Whose reference it should be, where that is known already.
    """
    given = _columns(profile.layout)
    problems: list[str] = []
    on_other_cells = None
    for name, (cells, _) in _predictions(layout).items():
        if name not in given:
            problems.append(f"{name}: expected this column, found none")
        elif given[name][0] != cells:
            on_other_cells = len(problems)
            wanted, other = _described(cells), _described(given[name][0])
            other = "others of the same number and range" if other == wanted else other
            problems.append(f"{name}: expected the cells of {model} ({wanted}), found {other}")
        elif (values := _values(profile, *given[name])) < min_events:
            problems.append(f"{name}: expected at least {min_events:,} values (windows.min_events), found {values:,}")
    if on_other_cells is not None:
        problems[on_other_cells] += f"; {_cure(profile.source, model=model, version=version)}"
    return tuple(problems)


def _cure(source: str, *, model: str, version: str | None) -> str:
    """Return what counts the rows of *source*, a table or events as the profile names them, on the model's cells."""
    table = quote(source) if "." in source and " " not in source else "FILE"
    output = quote(f"{model.rpartition('/')[2]}-{version or 'VERSION'}.reference".replace("/", "-"))
    build = f"driftline reference build SPEC --from {table} --cells-of {model} --output {output}"
    return f"count {source or 'the table'} on them: `{build}` (SPEC: the model's spec file)"


def prediction_counts(profile: ReferenceProfile, layout: CellsLayout) -> Int64s:
    """Return what *profile* holds of the prediction, shape ``(layout.size,)``, nothing of all other columns."""
    given = _columns(profile.layout)
    counts: Int64s = np.zeros(layout.size, dtype=np.int64)
    for name, (_, span) in _predictions(layout).items():
        source = given[name][1]
        counts[span.start : span.stop] = profile.counts[source.start : source.stop]
    return counts


def minutes_covered(profile: ReferenceProfile) -> int | None:
    """Return how much time the rows of *profile* span; None where it has no time stamps."""
    if profile.start is None or profile.end is None:
        return None
    return (profile.end - profile.start) // MINUTE_MILLIS


def _columns(layout: CellsLayout) -> dict[str, tuple[ColumnCells, ColumnSpan]]:
    return {cells.name: (cells, span) for cells, span in zip(layout.columns, layout.spans, strict=True)}


def _predictions(layout: CellsLayout) -> dict[str, tuple[ColumnCells, ColumnSpan]]:
    return {name: column for name, column in _columns(layout).items() if column[0].role.of_prediction}


def _values(profile: ReferenceProfile, cells: ColumnCells, span: ColumnSpan) -> int:
    """Return how many values are in cells or, numbers, outside their range."""
    outside = (Slot.BELOW, Slot.ABOVE) if cells.kind is ColumnKind.NUMERIC else ()
    values = profile.counts[span.start : span.slots].sum()
    return int(values + sum(profile.counts[span.slots + slot] for slot in outside))


def _described(cells: ColumnCells) -> str:
    if cells.kind is ColumnKind.CATEGORICAL:
        some = ", ".join(cells.categories[:5])
        return f"{cells.cells:,} categories ({some}{', …' if cells.cells > 5 else ''})"
    return f"{cells.cells:,} cells from {cells.edges[0]:g} to {cells.maximum:g}"

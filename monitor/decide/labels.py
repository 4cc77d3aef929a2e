"""What a bin or a cell is called in a sentence, and how numbers are written there."""

import math

from monitor.reference.layout import ColumnCells
from monitor.spec import ColumnKind
from monitor.stats.heavy_hitters import FrequentValues
from monitor.types import span_text

VALUES_TOLD = 5


def bin_label(column: ColumnCells, bins: tuple[int, ...], index: int) -> str:
    """Return the name of bin *index* of a column, *bins* being the bin of each cell: an interval, or categories."""
    first, cells = bins.index(index), bins.count(index)
    if column.kind is ColumnKind.CATEGORICAL:
        return f"`{column.categories[first]}`" if cells == 1 else f"{cells} rare categories together"
    return _interval(column, first=first, last=first + cells - 1, open_low=first == 0)


def cell_label(column: ColumnCells, cell: int) -> str:
    """Return the name of one cell: its value, its interval or its category."""
    if column.kind is ColumnKind.CATEGORICAL:
        return f"`{column.categories[cell]}`"
    return _interval(column, first=cell, last=cell, open_low=False)


def percent(share: float) -> str:
    """Return a share in percent; what is not all is never rounded up to all, nor what is not nothing to nothing."""
    value = 100.0 * share
    if 0.0 < value < 0.01:
        return "under 0.01 %"
    if 99.9 < value < 100.0:
        return "over 99.9 %"
    if value < 1.0:
        return f"{value:.1g} %"
    return f"{value:.0f} %" if 10.0 <= value < 99.0 else f"{round(value, 1):g} %"


def values_label(values: FrequentValues) -> str:
    """Return which values these are, with their shares: "`DE-BY` 61 %, `n/a` 22 %, others 17 %"; empty for none.

    A share is at least so large; what is left of it is among the others (`frequent_values`).
    """
    named = [(value, count) for value, count in values.counts[:VALUES_TOLD] if count]
    said = [f"`{value}` {percent(count / values.total)}" for value, count in named]
    rest = values.total - sum(count for _, count in named)
    examples = ", ".join(f"`{value}`" for value, count in values.counts if not count)
    if rest and examples:
        said.append(f"many others, such as {examples}")
    elif rest:
        said.append(f"others {percent(rest / values.total)}")
    return ", ".join(said)


def span_words(minutes: int) -> str:
    """Return a window's length as it is read: 60 -> '1 h'."""
    text = span_text(minutes)
    return f"{text[:-1]} {text[-1]}"


def _interval(column: ColumnCells, *, first: int, last: int, open_low: bool) -> str:
    """The cells ``first … last``; an edge just past a point cell's value is that value, excluded."""
    if first == last and column.points[first] and not open_low:
        return f"{column.edges[first]:.4g}"
    low_excluded = first > 0 and _follows_point(column, first)
    low = column.edges[first - 1] if low_excluded else column.edges[first]
    if last + 1 == len(column.edges):
        return f"{'above' if low_excluded else 'from'} {low:.4g}"
    high_included = _follows_point(column, last + 1)
    high = column.edges[last] if high_included else column.edges[last + 1]
    if open_low:
        return f"{'up to' if high_included else 'under'} {high:.4g}"
    return f"{'(' if low_excluded else '['}{low:.4g}, {high:.4g}{']' if high_included else ')'}"


def _follows_point(column: ColumnCells, cell: int) -> bool:
    before = column.edges[cell - 1]
    return column.points[cell - 1] and column.edges[cell] == math.nextafter(before, math.inf)

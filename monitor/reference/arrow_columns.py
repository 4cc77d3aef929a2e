"""Reads columns of an Arrow table as numbers, texts or times."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from monitor.arrays import Float64s, Indices, Int64s, Mask
from monitor.errors import DriftlineError, SpecError
from monitor.reference.layout import canonical_category
from monitor.spec.model import ColumnKind
from monitor.units import EARLIEST_MILLIS, reading

LATEST_OF_FILES = 10_000_000_000_000  # 2286-11-20; a later time in a file stands for "never" or "not known"

SEPARATORS = (",", ";", "\t", "|")
MISSING_TEXTS = ("", "NULL", "null", "NaN", "nan", "NA", "N/A", "#N/A")


class UncountableColumn(DriftlineError):
    """A column that cannot be counted; says what was expected and found, without the column's name."""


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """Shape ``(rows,)`` each: *values*, and whether one is *missing* (then its value is NaN) or not finite."""

    values: Float64s
    missing: Mask
    invalid: Mask

    @property
    def valid(self) -> Float64s:
        """The finite values."""
        return self.values[~(self.missing | self.invalid)]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Canonical *categories* and, shape ``(rows,)``, the index of each row's; -1 where *missing* or *invalid*."""

    categories: tuple[str, ...]
    codes: Indices
    missing: Mask
    invalid: Mask


def natural_kind(kind: pa.DataType) -> ColumnKind | None:
    """Return how values of an Arrow type are counted unless said otherwise; None when they cannot be."""
    if pa.types.is_dictionary(kind):
        return ColumnKind.CATEGORICAL if natural_kind(kind.value_type) is not None else None
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return ColumnKind.NUMERIC
    if pa.types.is_boolean(kind) or _is_text(kind):
        return ColumnKind.CATEGORICAL
    return None


def numeric_column(column: pa.ChunkedArray) -> NumericColumn:
    """Return the values of a numeric column.

    Raises:
        UncountableColumn: The column does not hold numbers; says what it holds.
    """
    if natural_kind(column.type) is not ColumnKind.NUMERIC:
        raise UncountableColumn(f"expected numbers, found {column.type}{_numbers_among_texts(column)}")
    missing = column.is_null().to_numpy()
    # NaN stays apart from null: as in events, one is invalid and the other missing.
    values = np.ascontiguousarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    values = values + 0.0  # -0.0 and 0.0 are one value
    return NumericColumn(values, missing, ~missing & ~np.isfinite(values))


def text_column(column: pa.ChunkedArray) -> TextColumn:
    """Return the values of a column as categories, in the order of their texts.

    Raises:
        UncountableColumn: The column holds neither text nor booleans nor numbers; says what it holds.
    """
    if natural_kind(column.type) is None:
        raise UncountableColumn(f"expected text, booleans or numbers, found {column.type}")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = pc.dictionary_encode(column.combine_chunks())
    categories, of_code = _spelled_texts(encoded.dictionary)
    missing = encoded.is_null().to_numpy(zero_copy_only=False)
    indices = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    codes = of_code[indices]
    return TextColumn(categories, codes, missing, ~missing & (codes < 0))


def _spelled_texts(values: pa.Array) -> tuple[tuple[str, ...], Indices]:
    """Return the categories among distinct values, sorted, and the place of each value's; -1 where it has none.

    The places have one entry more than there are values: rows without a value point at it.
    """
    if _is_text(values.type):  # texts are their own category; by the million that matters
        values = values.cast(pa.large_string())  # views, as Polars writes them, cannot be sorted
        order = pc.array_sort_indices(values)
        of_code = np.full(len(values) + 1, -1, dtype=np.intp)
        of_code[order.to_numpy()] = np.arange(len(values))
        return tuple(values.take(order).to_pylist()), of_code
    spelled = [None if _not_finite(value) else canonical_category(_plain(value)) for value in values.to_pylist()]
    categories = tuple(sorted({text for text in spelled if text is not None}))
    place = {text: index for index, text in enumerate(categories)}
    return categories, np.array([-1 if text is None else place[text] for text in spelled] + [-1], dtype=np.intp)


def epoch_millis(column: pa.ChunkedArray) -> Int64s:
    """Return times as epoch milliseconds; times without a zone are read as UTC.

    Raises:
        UncountableColumn: Not times, some are missing, or some are no plausible ones (another unit, a sentinel like
            9999-12-31); says what was found.
    """
    kind = column.type
    if column.null_count:
        raise UncountableColumn(f"expected a time in every row, found {column.null_count} missing")
    if pa.types.is_integer(kind):
        return _plausible(np.ascontiguousarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64), whole_numbers=True)
    if _is_text(kind):
        column = _parsed_times(column)
    elif not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise UncountableColumn(
            f"expected times, RFC 3339 texts or epoch milliseconds, found {kind}{_unit_among(column)}"
        )
    zone = getattr(column.type, "tz", None)
    millis = column.cast(pa.timestamp("ms", tz=zone), safe=False).cast(pa.int64())
    return _plausible(np.ascontiguousarray(millis.to_numpy(), dtype=np.int64), whole_numbers=False)


def _plausible(times: Int64s, *, whole_numbers: bool) -> Int64s:
    """Return *times* when all are from 1973 to 2286; the first other one is named with its row, counted from 1."""
    outside = np.flatnonzero((times < EARLIEST_MILLIS) | (times > LATEST_OF_FILES))
    if not len(outside):
        return times
    first = int(times[outside[0]])
    read = reading(first) if whole_numbers else None
    shown = f"{first}" if whole_numbers else f"{np.datetime64(first, 'ms')}Z"
    if read is not None and read.unit != "milliseconds":
        shown += f", which reads as epoch {read.unit}: {np.datetime64(read.millis, 'ms')}Z"
    raise UncountableColumn(
        f"expected {'epoch milliseconds' if whole_numbers else 'times from 1973 to 2286'}, found {shown} in row"
        f" {outside[0] + 1:,}; {len(outside):,} of {len(times):,} rows are outside 1973 to 2286"
    )


def _parsed_times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    for kind in (pa.timestamp("us", tz="UTC"), pa.timestamp("us")):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    raise UncountableColumn(
        f"expected times like 2026-06-01T12:00:00Z, found {column[0].as_py()!r}{_unit_among(column)}"
    )


def _unit_among(column: pa.ChunkedArray) -> str:
    """Return what the first value of a column that is no time reads as, where it is a number."""
    try:
        read = reading(math.floor(float(column[0].as_py())))
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return "" if read is None else f", which reads as epoch {read.unit}: {np.datetime64(read.millis, 'ms')}Z"


def _numbers_among_texts(column: pa.ChunkedArray) -> str:
    """Return how many of the texts are numbers after all, with one that is none; empty where none are."""
    if not _is_text(column.type):
        return ""
    counts = column.cast(pa.large_string()).drop_null().value_counts()
    texts_and_counts = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    other = {text: count for text, count in texts_and_counts if not is_number(text)}
    values, others = len(column) - column.null_count, sum(other.values())
    if others == values:
        return ""
    example = f", but {next(iter(other))!r} is none (mixed types?)" if other else " in quotes"
    return f": {values - others:,} of {values:,} texts are numbers{example}"


def is_number(text: str) -> bool:
    """Return whether Python reads *text* as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not np.isfinite(value)


def _plain(value: object) -> object:
    return value if isinstance(value, str | bool | int | float) else float(str(value))  # a decimal


def read_table(path: Path) -> pa.Table:
    """Return the rows of the Parquet or CSV file at *path* as an Arrow table.

    A CSV has a header; its separator is whichever of comma, semicolon, tab and bar the header holds most often, and
    an unquoted field that spells one of `MISSING_TEXTS` is missing.

    Raises:
        SpecError: No such file, another kind of file, unreadable, without rows, or two columns of one name.
    """
    if not path.is_file():
        raise SpecError(str(path), ("expected a Parquet or CSV file, found no file",))
    readers = {".parquet": _read_parquet, ".pq": _read_parquet, ".csv": _read_csv, ".tsv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SpecError(str(path), (f"expected a name ending in .parquet or .csv, found {path.suffix or 'no ending'}",))
    try:
        table = reader(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SpecError(str(path), (f"cannot be read: {' '.join(str(error).split())}",)) from error
    problems = [
        f"column {name!r}: expected once, found {table.column_names.count(name)} times"
        for name in sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    ]
    if table.num_rows == 0:
        problems.append("expected rows, found none")
    if problems:
        raise SpecError(str(path), tuple(problems))
    return table


def _read_parquet(path: Path) -> pa.Table:
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read()


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = max(SEPARATORS, key=header.count)
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=list(MISSING_TEXTS), strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )

"""Reads a table of a reference or of a replay from Parquet or CSV."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from monitor.errors import SpecError

SEPARATORS = (",", ";", "\t", "|")
MISSING_TEXTS = ("", "NULL", "null", "NaN", "nan", "NA", "N/A", "#N/A")


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

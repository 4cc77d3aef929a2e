"""Reading a reference table from a file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from monitor.errors import SpecError
from monitor.reference.arrow_columns import read_table


def test_parquet_and_csv_hold_the_same_rows(tmp_path: Path) -> None:
    """A table written as Parquet and as CSV is read back alike, missing values included."""
    table = pa.table({"age": [1.5, None, 3.0], "job": ["baker", None, "cook"], "member": [True, False, None]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("age,job,member\n1.5,baker,true\n,,false\n3.0,cook,\n")
    assert read_table(tmp_path / "t.parquet").to_pydict() == table.to_pydict()
    assert read_table(tmp_path / "t.csv").to_pydict() == table.to_pydict()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_in_the_header(tmp_path: Path, separator: str) -> None:
    """Four common separators, behind a byte order mark too."""
    path = tmp_path / "t.csv"
    path.write_text("\ufeff" + separator.join(["a", "b", "c"]) + "\n" + separator.join(["1", "x", "2.5"]) + "\n")
    assert read_table(path).to_pydict() == {"a": [1], "b": ["x"], "c": [2.5]}


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """No file, no known ending, no Parquet inside, no rows, a name twice: each says what was expected."""
    (tmp_path / "t.xlsx").write_text("x")
    (tmp_path / "t.parquet").write_text("no parquet")
    (tmp_path / "empty.csv").write_text("a,b\n")
    (tmp_path / "twice.csv").write_text("a,b,a\n1,2,3\n")
    for name, sentence in (
        ("absent.csv", "expected a Parquet or CSV file, found no file"),
        ("t.xlsx", r"expected a name ending in .parquet or .csv, found .xlsx"),
        ("t.parquet", "cannot be read: "),
        ("empty.csv", "expected rows, found none"),
        ("twice.csv", "column 'a': expected once, found 2 times"),
    ):
        with pytest.raises(SpecError, match=sentence):
            read_table(tmp_path / name)

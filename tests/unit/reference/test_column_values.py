"""Arrow columns as numbers, categories and times."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from monitor.reference.arrow_columns import UncountableColumn, epoch_millis, natural_kind, numeric_column, text_column
from monitor.reference.cell_choice import categorical_cells
from monitor.reference.counting import categorical_places, counts_on_cells
from monitor.reference.layout import Slot
from monitor.spec.model import ColumnKind


def _column(values: list[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    """Return *values* in two chunks."""
    whole = pa.array(values, kind)
    return pa.chunked_array([whole[: len(whole) // 2], whole[len(whole) // 2 :]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.float32(), ColumnKind.NUMERIC),
        (pa.int8(), ColumnKind.NUMERIC),
        (pa.uint64(), ColumnKind.NUMERIC),
        (pa.decimal128(10, 2), ColumnKind.NUMERIC),
        (pa.bool_(), ColumnKind.CATEGORICAL),
        (pa.string(), ColumnKind.CATEGORICAL),
        (pa.large_string(), ColumnKind.CATEGORICAL),
        (pa.dictionary(pa.int8(), pa.int64()), ColumnKind.CATEGORICAL),
        (pa.timestamp("ms"), None),
        (pa.list_(pa.int64()), None),
        (pa.binary(), None),
        (pa.null(), None),
    ],
    ids=str,
)
def test_the_kind_follows_the_arrow_type(kind: pa.DataType, expected: ColumnKind | None) -> None:
    """Numbers are numeric, text and flags and codes categorical, everything else not countable."""
    assert natural_kind(kind) is expected


def test_null_is_missing_and_nan_is_invalid() -> None:
    """No value, a value that is no number, and a number are three different things."""
    result = numeric_column(_column([1.5, None, float("nan"), float("inf"), -0.0]))
    assert result.missing.tolist() == [False, True, False, False, False]
    assert result.invalid.tolist() == [False, False, True, True, False]
    assert result.valid.tolist() == [1.5, 0.0]


def test_decimals_and_integers_are_numbers() -> None:
    """Money in decimals and counts in integers are read as floats."""
    assert numeric_column(_column([Decimal("1.25"), None])).valid.tolist() == [1.25]
    assert numeric_column(_column([1, 2, None], pa.int32())).valid.tolist() == [1.0, 2.0]


def test_text_is_not_a_number() -> None:
    """A text column asked for as numbers is refused by its type, not coerced."""
    with pytest.raises(UncountableColumn, match="expected numbers, found string"):
        numeric_column(_column(["1", "2"]))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([True, False, None, True], None, ("false", "true")),
        ([3, 1, None, 3], pa.int64(), ("1", "3")),
        ([3.0, 1.5, float("nan"), 3.0], None, ("1.5", "3")),
        (["b", "a", None, "b"], None, ("a", "b")),
        (["b", "a", None, "b"], pa.dictionary(pa.int8(), pa.string()), ("a", "b")),
    ],
    ids=["bool", "int", "float", "string", "dictionary"],
)
def test_categories_are_spelled_as_in_events(
    values: list[object], kind: pa.DataType, expected: tuple[str, ...]
) -> None:
    """Booleans in lower case, whole numbers without a point; the third row is missing or invalid."""
    result = text_column(_column(values, kind))
    assert result.categories == expected
    assert result.codes.tolist() == [1, 0, -1, 1]
    assert (result.missing | result.invalid).tolist() == [False, False, True, False]


def test_categories_are_counted_like_a_counter() -> None:
    """Each category's cell holds its rows; missing ones are in their slot; another sample's new one is unseen."""
    reference = text_column(_column(["a", "b", None, "b"]))
    cells = categorical_cells(reference, name="x")
    assert counts_on_cells(cells, categorical_places(cells, reference)).tolist() == [1, 2, 1, 0, 0, 0, 0, 0, 0]
    other = text_column(_column(["c", "b", "c"]))
    counts = counts_on_cells(cells, categorical_places(cells, other))
    assert counts[:2].tolist() == [0, 1]
    assert counts[2 + Slot.UNSEEN] == 2


def test_a_thousand_categories_are_the_limit() -> None:
    """1000 categories are counted, 1001 refused with what such a column usually is."""
    assert categorical_cells(text_column(_column([f"u{n}" for n in range(1000)])), name="x").cells == 1000
    with pytest.raises(UncountableColumn, match=r"at most 1000 categories, found 1001 \(an identifier or free text\?"):
        categorical_cells(text_column(_column([f"u{n}" for n in range(1001)])), name="x")
    mixed = _column(["oops", *(str(n) for n in range(1001))])
    with pytest.raises(UncountableColumn, match=r"mixed types\? 1001 of 1002 are numbers, but 'oops' is none"):
        categorical_cells(text_column(mixed), name="x")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1_780_315_200_123, 1_780_315_200_123], pa.int64()),
        ([1_780_315_200_123_456_789] * 2, pa.timestamp("ns")),
        ([1_780_315_200_123] * 2, pa.timestamp("ms", tz="Europe/Berlin")),
        (["2026-06-01T12:00:00.123Z"] * 2, pa.string()),
        (["2026-06-01T14:00:00.123+02:00"] * 2, pa.string()),
        (["2026-06-01 12:00:00.123"] * 2, pa.string()),
    ],
    ids=["epoch", "naive ns", "zone", "Z", "offset", "naive text"],
)
def test_every_spelling_of_a_moment_is_that_moment(values: list[object], kind: pa.DataType) -> None:
    """Noon and 123 ms of 2026-06-01 in UTC, however it is written."""
    assert epoch_millis(_column(values, kind)).tolist() == [1_780_315_200_123] * 2


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        ([2015, 2016], pa.int64(), "expected epoch milliseconds, found 2015"),
        ([1.5, 2.5], pa.float64(), "expected times, RFC 3339 texts or epoch milliseconds, found double"),
        (
            [1_780_315_200],
            pa.int64(),
            "found 1780315200, which reads as epoch seconds: 2026-06-01T12:00:00.000Z in row 1",
        ),
        ([1_780_315_200.5], pa.float64(), "found double, which reads as epoch seconds: 2026-06-01T12:00:00.000Z"),
        (["1780315200"], pa.string(), "found '1780315200', which reads as epoch seconds: 2026-06-01T12:00:00.000Z"),
        (
            ["2026-06-01T12:00:00Z", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"],
            pa.string(),
            "found 9999-12-31T00:00:00.000Z in row 2; 2 of 3 rows are outside 1973 to 2286",
        ),
        (
            [1_780_315_200_123, -62_135_596_800_000],
            pa.int64(),
            "found -62135596800000 in row 2; 1 of 2 rows are outside",
        ),
        (["soon", "later"], pa.string(), "expected times like 2026-06-01T12:00:00Z, found 'soon'"),
        ([1_780_315_200_123, None], pa.int64(), "expected a time in every row, found 1 missing"),
    ],
    ids=["year", "float", "seconds", "fractions", "in quotes", "sentinels", "year 1", "text", "missing"],
)
def test_what_is_no_time_is_refused(values: list[object], kind: pa.DataType, sentence: str) -> None:
    """The refusal says what was expected and what was found."""
    with pytest.raises(UncountableColumn, match=sentence):
        epoch_millis(_column(values, kind))


def test_mixed_chunks_of_a_dictionary_are_one_column() -> None:
    """Chunks whose dictionaries differ, as in a Parquet file of several row groups, count together."""
    chunks = pa.chunked_array([pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()])
    result = text_column(chunks)
    assert np.array(result.categories)[result.codes].tolist() == ["b", "a", "c", "b"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_kind_of_text_is_sorted_as_python_sorts(kind: pa.DataType) -> None:
    """By code point, whatever the writer's type; the error names what is no number among them."""
    values = ["b", "😀", None, "ä", "\uffff", "b", "10", ""]
    column = pa.chunked_array([pa.array(values, kind)])
    result = text_column(column)
    assert result.categories == tuple(sorted({value for value in values if value is not None}))
    assert [None if code < 0 else result.categories[code] for code in result.codes] == values
    with pytest.raises(UncountableColumn, match="1 of 7 texts are numbers, but 'b' is none"):
        numeric_column(column)

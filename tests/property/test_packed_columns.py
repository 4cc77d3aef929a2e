"""Columns read through MessagePack equal columns read value by value."""

import math
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumers.decode.msgpack_arrays import float_column, float_columns, packed_millis
from consumers.decode.times import all_millis, millis_of

numbers = st.none() | st.floats(allow_nan=False)
zones = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))))
times = st.datetimes(
    min_value=datetime(1960, 1, 1),  # noqa: DTZ001  # the strategy adds the zone
    max_value=datetime(2600, 1, 1),  # noqa: DTZ001
    timezones=zones,
)
whole_seconds = times.map(lambda time: time.replace(microsecond=0))


def _same(column: np.ndarray, wanted: list[float | None]) -> bool:
    return all(math.isnan(f) if w is None else f == w for f, w in zip(column.tolist(), wanted, strict=True))


@given(st.lists(numbers, max_size=40))
def test_a_column_of_floats_keeps_every_value_and_every_gap(values: list[float | None]) -> None:
    """Missing values become NaN, all others themselves, infinities too."""
    assert _same(float_column(values), values)


@given(st.integers(0, 70), st.integers(1, 20), st.data())
def test_chosen_values_of_rows_become_columns(rows: int, width: int, data: st.DataObject) -> None:
    """Whatever the choice (in a run or scattered), the width and the gaps; MessagePack's heads change at 16."""
    indices = sorted(data.draw(st.sets(st.integers(0, width - 1))))
    drawn = [tuple(data.draw(st.lists(numbers, min_size=width, max_size=width))) for _ in range(min(rows, 5))]
    table = [drawn[row % len(drawn)] for row in range(rows)]
    result = float_columns(table, indices)
    assert result.shape == (len(indices), rows)
    for column, index in zip(result, indices, strict=True):
        assert _same(column, [row[index] for row in table])


def test_long_arrays_have_longer_heads() -> None:
    """Past 65,535 elements MessagePack writes the length in four bytes."""
    values = np.arange(70_000, dtype=np.float64)
    assert np.array_equal(float_column(values.tolist()), values)
    rows = [(float(index), "text", -float(index)) for index in range(70_000)]
    assert np.array_equal(float_columns(rows, (0, 2)), [values, -values])


@given(st.lists(times | whole_seconds | st.integers(-(10**13), 10**13), max_size=60))
def test_times_are_rounded_down_to_milliseconds(moments: list[datetime | int]) -> None:
    """Before 1970, after 2514, in any zone, mixed with integers: all the same as one by one."""
    assert all_millis(moments).tolist() == [millis_of(moment) for moment in moments]


@given(st.lists(st.booleans(), min_size=1, max_size=2000), st.integers(0, 10**9))
def test_runs_of_whole_seconds_are_read_at_once(whole: list[bool], start: int) -> None:
    """Where whole seconds are rare, as with times in milliseconds, nothing is read one by one."""
    moments = [
        datetime.fromtimestamp(start + n, UTC) + timedelta(milliseconds=0 if w else 7) for n, w in enumerate(whole)
    ]
    changes = 1 + sum(a != b for a, b in pairwise(whole))
    packed = packed_millis(moments)
    if changes < 40:
        assert packed is not None
    if packed is not None:
        assert packed.tolist() == [millis_of(moment) for moment in moments]

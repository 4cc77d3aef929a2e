"""A result survives its few bytes: findings and shares to the letter, numbers to six digits, proven ones to ten."""

import math
from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import CorruptResultError
from monitor.number_codec import pack_integers, pack_numbers, unpack_integers, unpack_numbers
from monitor.result_codec import decode_result, encode_result, pack_result, unpack_result
from monitor.results import (
    ColumnResult,
    Finding,
    FurtherStatistics,
    RestlessColumn,
    WindowResult,
    nothing_moved_sentence,
)
from monitor.types import Calibration, IncidentKind, InconclusiveReason, Statistic, Tier, Verdict

NUMBERS = st.none() | st.just(0.0) | st.floats(min_value=-1e300, max_value=1e300, allow_nan=False)
INTEGERS = st.integers(min_value=-(2**62), max_value=2**62)
NAMES = st.text(min_size=1, max_size=8)
COLUMN = attrgetter("column")


@st.composite
def results(draw: st.DrawFn) -> WindowResult:
    """A result of any columns, some of them proven, some with shares that are no counts of the events."""
    events = draw(st.integers(min_value=0, max_value=10**9))
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    columns = tuple(draw(column(name, events)) for name in names)
    findings = tuple(draw(finding(name)) for name in names if draw(st.booleans()) and draw(st.booleans()))
    held = (st.sampled_from(names), st.sampled_from(Tier), st.sampled_from(Tier)) if names else ()
    calm = st.none() | st.tuples(st.booleans(), st.booleans(), st.booleans())
    calm_windows = [nothing_moved_sentence(first.name, psi=first.psi or 0.0, events=events) for first in columns[:1]]
    sentence = st.text(max_size=20) | st.sampled_from([*calm_windows, ""])
    return WindowResult(
        verdict=draw(st.sampled_from(Verdict)),
        events=events,
        columns=columns,
        findings=findings,
        moved=tuple(names[:1]),
        calm_below=draw(calm),
        restless=draw(st.none() | st.lists(st.builds(RestlessColumn, *held), max_size=6, unique_by=COLUMN).map(tuple))
        if names
        else None,
        quality_calm=draw(st.none() | st.booleans()),
        reason=draw(st.sampled_from(InconclusiveReason)),
        sentence=draw(sentence),
    )


@st.composite
def column(draw: st.DrawFn, name: str, events: int) -> ColumnResult:
    counts = [draw(st.integers(min_value=0, max_value=events)) for _ in range(3)]
    missing, invalid, unseen = (count / events if events else 0.0 for count in counts)
    further = st.none() | st.builds(FurtherStatistics, hellinger=NUMBERS, chi_squared_p=NUMBERS, chi_squared=NUMBERS)
    return ColumnResult(
        name=name,
        n=draw(st.integers(min_value=0, max_value=2 * events)),
        psi=draw(NUMBERS),
        psi_low=draw(st.none() | st.none() | st.floats(min_value=0, max_value=9)),
        ks=draw(NUMBERS),
        ks_bound=draw(NUMBERS),
        phi=draw(NUMBERS),
        calibration=draw(st.sampled_from([None, *Calibration])),
        missing=draw(st.sampled_from([missing, 0.123456789])),
        invalid=invalid,
        unseen=unseen,
        further=draw(further),
        inconclusive=draw(st.sampled_from(InconclusiveReason)),
    )


@st.composite
def finding(draw: st.DrawFn, name: str) -> Finding:
    return Finding(
        kind=draw(st.sampled_from(IncidentKind)),
        column=name,
        statistic=Statistic.PSI,
        tier=draw(st.sampled_from(Tier)),
        endured=draw(st.booleans()),
        value=draw(st.floats(allow_nan=False, allow_infinity=False)),
        bound=0.1,
        threshold=0.05,
        importance=draw(st.none() | st.floats(min_value=0, max_value=1)),
        sentence=draw(st.text(max_size=300)),
    )


@given(results(), st.booleans())
def test_a_result_comes_back_as_it_was_to_six_digits(result: WindowResult, knows_names: bool) -> None:
    """Everything but the numbers of columns is equal; those are to six digits, to ten where something was proven."""
    names = tuple(column.name for column in result.columns) if knows_names else ("other",)
    stored = unpack_result(pack_result(result, names), names)
    proven = {finding.column for finding in result.findings}
    assert msgspec.structs.replace(stored, columns=()) == msgspec.structs.replace(result, columns=())
    for before, after in zip(result.columns, stored.columns, strict=True):
        is_proven = before.name in proven or before.psi_low is not None
        numbers = ("psi", "ks", "ks_bound", "phi", "psi_low", "further")
        assert {name: getattr(after, name) for name in after.__struct_fields__ if name not in numbers} == {
            name: getattr(before, name) for name in before.__struct_fields__ if name not in numbers
        }
        pairs = [(getattr(before, name), getattr(after, name)) for name in numbers[:-1]]
        if before.further is not None:
            assert after.further is not None
            pairs += zip(msgspec.structs.astuple(before.further), msgspec.structs.astuple(after.further), strict=True)
        allowed = 5.1e-10 if is_proven else 5.1e-6
        assert all(one is other is None or math.isclose(one, other, rel_tol=allowed) for one, other in pairs)


@pytest.mark.parametrize("psi_low", [None, 0.17])
def test_the_last_bits_of_another_machine_are_not_stored(psi_low: float | None) -> None:
    """Another processor's logarithms differ in their last bits; the bytes are the same."""

    def packed(*, away_by: int) -> bytes:
        psi = 0.2384615384615385
        for _ in range(away_by):
            psi = math.nextafter(psi, math.inf)
        column = ColumnResult(name="age", n=1000, psi=psi, psi_low=psi_low, ks=psi / 3, ks_bound=0.01, phi=1.0)
        return pack_result(WindowResult(verdict=Verdict.OK, events=1000, columns=(column,)), ("age",))

    assert {packed(away_by=bits) for bits in range(20)} == {packed(away_by=0)}


@given(results())
def test_what_is_stored_is_stored_again_the_same(result: WindowResult) -> None:
    """Rounding is done once: a stored result gives the same bytes and the same text, as old rows and replays need."""
    names = tuple(column.name for column in result.columns)
    packed = pack_result(result, names)
    assert pack_result(unpack_result(packed, names), names) == packed
    assert encode_result(result) == encode_result(unpack_result(packed, names))
    assert encode_result(decode_result(encode_result(result))) == encode_result(result)


@given(st.lists(INTEGERS, max_size=50))
def test_integers_come_back(values: list[int]) -> None:
    """Whatever their range, in as many bits each as it needs."""
    packed = pack_integers(values)
    assert unpack_integers(packed, len(values)) == values
    if isinstance(packed, bytes):
        bits = (max(values) - min(values)).bit_length()
        assert len(packed) <= 2 + 8 + (bits * len(values) + 7) // 8


@pytest.mark.parametrize("number", [1.0, 9.999995, 9.9999949, 0.1, 1e-5, 99999.95, 123456.5, 1e22, 1e-250, -0.3])
def test_digits_carry_over_at_powers_of_ten(number: float) -> None:
    """The sixth digit rounds, and into the next decade where all six are nines."""
    ((unpacked,),) = unpack_numbers(pack_numbers([(number,)]), 1)
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - 5)
    assert unpacked == pytest.approx(number, rel=0, abs=0.500001 * unit)
    assert unpacked is not None
    assert float(f"{unpacked:.5e}") == unpacked


def test_a_calm_window_of_twenty_columns_is_small() -> None:
    """Twelve bytes a column, all of their numbers different; the text is thirteen times as long."""
    columns = tuple(
        ColumnResult(name=f"a_long_name_{at}", n=59_000 - at, psi=0.0123456789 / (at + 1), ks=0.0345678 / (at + 1.5),
                     ks_bound=0.001, phi=1 + 0.7654321 / (at + 1), missing=(1000 + at) / 60_000)
        for at in range(20)
    )  # fmt: skip
    sentence = nothing_moved_sentence("a_long_name_0", psi=0.0123456789, events=60_000)
    result = WindowResult(
        verdict=Verdict.OK, events=60_000, columns=columns, calm_below=(True,) * 3, quality_calm=True, sentence=sentence
    )
    names = tuple(column.name for column in columns)
    packed = pack_result(result, names)
    assert len(packed) < 260
    assert len(msgspec.json.encode(result)) > 13 * len(packed)
    assert unpack_result(packed, names).sentence == sentence


@pytest.mark.parametrize("packed", [b"", b"\x00", b"\x01garbage", b"\x00\x93\x00\x01\x02", b"\x07"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    """A row that cannot be read says so instead of being taken for a verdict."""
    with pytest.raises(CorruptResultError, match="stored result"):
        unpack_result(packed, ())


def test_columns_of_other_cells_are_refused() -> None:
    """A row without names needs at least as many as it has columns."""
    columns = (ColumnResult(name="a", n=1), ColumnResult(name="b", n=1))
    packed = pack_result(WindowResult(verdict=Verdict.OK, events=1, columns=columns), ("a", "b"))
    with pytest.raises(CorruptResultError, match="2 columns, but the cells have 1"):
        unpack_result(packed, ("a",))


OF_BEFORE = (
    "009c01cd03e80702a0ab63697479206d6f7665642e9ec4040401f6a0000000000000c40b150360e4e4000000506f02c4040101"
    "0002d2ffe79600c40401010002d2ffd6cd2000c40710010050c3000002c0809091a463697479"
)
"""What the program before wrote: two columns, one of them above the closing threshold of a warning."""


def test_what_the_program_before_stored_is_read() -> None:
    """It did not keep which columns are restless: that is None, not that none is."""
    result = unpack_result(bytes.fromhex(OF_BEFORE), ("age", "city"))
    assert (result.verdict, result.calm_below, result.restless) == (Verdict.WARNING, (False, True, True), None)
    assert [(column.name, column.psi) for column in result.columns] == [("age", 0.0123456), ("city", 0.5)]


def test_the_program_before_reads_what_is_stored() -> None:
    """It reads the first twelve fields, as many as it knows, and no other."""
    columns = (ColumnResult(name="age", n=10, psi=0.5), ColumnResult(name="city", n=10, psi=0.01))
    restless = (RestlessColumn("age", Tier.ALERT, Tier.CRITICAL),)
    stored = pack_result(
        WindowResult(
            verdict=Verdict.OK, events=10, columns=columns, calm_below=(False, False, True), restless=restless
        ),
        ("age", "city"),
    )
    *known, added = msgspec.msgpack.decode(stored[1:], strict=False)
    assert len(known) == len(msgspec.msgpack.decode(bytes.fromhex(OF_BEFORE)[1:], strict=False))
    assert added == {0: 14}
    assert unpack_result(stored, ("age", "city")).restless == restless

"""The bytes in which a window's result is stored: about 12 bytes a column instead of 190 as JSON.

Numbers of a column that passed no tier are kept to six significant digits, which is what makes them small; where
something was proven they are kept to ten. Names of columns are not repeated in every row: the cells that the window
was counted on have them. `encode_result` gives the canonical text of what is stored, so two results are stored alike
exactly when their texts are equal.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec
import zstandard

from monitor.errors import CorruptResultError
from monitor.number_codec import (
    Integers,
    can_be_packed,
    pack_integers,
    pack_numbers,
    six_digits,
    ten_digits,
    unpack_integers,
    unpack_numbers,
)
from monitor.results import (
    ColumnResult,
    Finding,
    FurtherStatistics,
    RestlessColumn,
    WindowResult,
    nothing_moved_sentence,
)
from monitor.types import Calibration, InconclusiveReason, Tier, Verdict

_PLAIN, _COMPRESSED = b"\x00", b"\x01"
_WORTH_COMPRESSING = 256  # below, zstd's own header costs more than it saves
_COMPRESSOR = zstandard.ZstdCompressor(level=3, write_content_size=True)
_DECOMPRESSOR = zstandard.ZstdDecompressor()
_LARGEST = 1 << 28

_VERDICTS = tuple(Verdict)
_CALIBRATIONS = (None, Calibration.UNCALIBRATED, Calibration.ESTIMATED)
_INCONCLUSIVE = (
    InconclusiveReason.CONCLUSIVE,
    InconclusiveReason.NO_REFERENCE,
    InconclusiveReason.TOO_FEW_EVENTS,
)
_NUMBERS = ("psi", "ks", "ks_bound", "phi")
_FURTHER = tuple(field for field in FurtherStatistics.__struct_fields__ if field != "chi_squared_freedom")
_SHARES = ("missing", "invalid", "unseen")
_OF_ALL = 6  # lists of integers about every column, before those of columns that are judged
_numbers_of, _further_of, _shares_of = attrgetter(*_NUMBERS), attrgetter(*_FURTHER), attrgetter(*_SHARES)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A result as MessagePack; *sentence* is the index of the column that "nothing moved" names, or the text."""

    verdict: int
    events: int
    calm: int  # 0: None, else one more than the three answers as bits
    quality: int  # 0: None, 1: False, 2: True
    reason: InconclusiveReason
    sentence: int | str
    numbers: tuple[Integers, ...]
    columns: int
    names: tuple[str, ...] | None
    in_full: dict[int, ColumnResult]
    findings: tuple[Finding, ...]
    moved: tuple[str, ...]
    restless: dict[int, int] | None = None  # a column's tier and four times its size; programs before did not write it


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)


def pack_result(result: WindowResult, names: Sequence[str]) -> bytes:
    """Return *result* as it is stored next to the id of cells whose columns are *names*.

    A result whose columns are others brings its own names.
    """
    columns = result.columns
    own = tuple(column.name for column in columns)
    proven = {finding.column for finding in result.findings}
    in_full = {
        at: _to_ten_digits(column)
        for at, column in enumerate(columns)
        if column.psi_low is not None or column.name in proven or not _fits(column, result.events)
    }
    rounded = [column for at, column in enumerate(columns) if at not in in_full]
    packed = _Packed(
        verdict=_VERDICTS.index(result.verdict),
        events=result.events,
        calm=_calm_code(result.calm_below),
        quality=0 if result.quality_calm is None else 1 + result.quality_calm,
        reason=result.reason,
        sentence=_sentence_code(result, in_full),
        numbers=_pack_columns(rounded, result.events) if rounded else (),
        columns=len(columns),
        names=own if columns and own != tuple(names) else None,
        in_full=in_full,
        findings=result.findings,
        moved=result.moved,
        restless=None
        if result.restless is None
        else {own.index(restless.column): restless.tier + 4 * restless.size for restless in result.restless},
    )
    encoded = _ENCODER.encode(packed)
    if len(encoded) > _WORTH_COMPRESSING and (result.findings or in_full):
        return _COMPRESSED + _COMPRESSOR.compress(encoded)
    return _PLAIN + encoded


def unpack_result(packed: bytes, names: Sequence[str]) -> WindowResult:
    """Return the result that `pack_result` stored, *names* being the columns of its cells.

    Raises:
        CorruptResultError: Not such bytes, or of other columns than *names*.
    """
    try:
        encoded = packed[1:]
        if packed[:1] == _COMPRESSED:
            encoded = _DECOMPRESSOR.decompress(encoded, max_output_size=_LARGEST)
        return _unpacked(_DECODER.decode(encoded), names)
    except (zstandard.ZstdError, msgspec.MsgspecError, IndexError, ValueError) as error:
        raise CorruptResultError(f"stored result: expected what pack_result wrote, found: {error}") from error


def encode_result(result: WindowResult) -> bytes:
    """Return the canonical JSON of *result* as it is stored: equal texts are equal results, and reading them is too."""
    names = tuple(column.name for column in result.columns)
    return msgspec.json.encode(unpack_result(pack_result(result, names), names))


def decode_result(encoded: bytes | str) -> WindowResult:
    """Return the result of a canonical text."""
    return msgspec.json.decode(encoded, type=WindowResult)


def _unpacked(packed: _Packed, names: Sequence[str]) -> WindowResult:
    names = names if packed.names is None else packed.names
    if len(names) < packed.columns:
        raise ValueError(f"{packed.columns} columns, but the cells have {len(names)}")
    rounded = [at for at in range(packed.columns) if at not in packed.in_full]
    columns = dict(packed.in_full)
    if rounded:
        columns |= zip(rounded, _unpack_columns(packed, [names[at] for at in rounded]), strict=True)
    result = WindowResult(
        verdict=_VERDICTS[packed.verdict],
        events=packed.events,
        columns=tuple(columns[at] for at in range(packed.columns)),
        findings=packed.findings,
        moved=packed.moved,
        calm_below=_calm_of(packed.calm),
        restless=None
        if packed.restless is None
        else tuple(RestlessColumn(names[at], Tier(code & 3), Tier(code >> 2)) for at, code in packed.restless.items()),
        quality_calm=None if packed.quality == 0 else packed.quality == 2,
        reason=packed.reason,
        sentence=packed.sentence if isinstance(packed.sentence, str) else "",
    )
    if isinstance(packed.sentence, int):
        largest = result.columns[packed.sentence]
        sentence = nothing_moved_sentence(largest.name, psi=largest.psi or 0.0, events=packed.events)
        return msgspec.structs.replace(result, sentence=sentence)
    return result


def _to_ten_digits(column: ColumnResult) -> ColumnResult:
    return msgspec.structs.replace(
        column,
        **_rounded(column, (*_NUMBERS, "psi_low")),
        further=None
        if column.further is None
        else msgspec.structs.replace(column.further, **_rounded(column.further, _FURTHER)),
    )


def _rounded(numbers: ColumnResult | FurtherStatistics, names: Sequence[str]) -> dict[str, float | None]:
    values = zip(names, attrgetter(*names)(numbers), strict=True)
    return {name: None if value is None else ten_digits(value) for name, value in values}


def _calm_code(calm: tuple[bool, bool, bool] | None) -> int:
    return 0 if calm is None else 1 + calm[0] + 2 * calm[1] + 4 * calm[2]


def _calm_of(code: int) -> tuple[bool, bool, bool] | None:
    return None if code == 0 else (bool(code - 1 & 1), bool(code - 1 & 2), bool(code - 1 & 4))


def _sentence_code(result: WindowResult, in_full: Mapping[int, ColumnResult]) -> int | str:
    """Return the column that the sentence of a calm window names, where it is that sentence to the letter."""
    if not result.sentence.startswith("nothing moved"):
        return result.sentence
    for at, column in enumerate(result.columns):
        if f"(`{column.name}`)" in result.sentence and column.psi is not None:
            psi = in_full[at].psi if at in in_full else six_digits(column.psi)
            if nothing_moved_sentence(column.name, psi=psi or 0.0, events=result.events) == result.sentence:
                return at
    return result.sentence


def _fits(column: ColumnResult, events: int) -> bool:
    """Return whether the compact form can say all of *column* (to six digits)."""
    if column.calibration not in _CALIBRATIONS or column.inconclusive not in _INCONCLUSIVE:
        return False
    numbers = _numbers_of(column) if column.further is None else (*_numbers_of(column), *_further_of(column.further))
    if column.inconclusive and any(number is not None for number in (*numbers, column.further)):
        return False
    if not all(map(can_be_packed, numbers)):
        return False
    return all(share == 0 or (events > 0 and round(share * events) / events == share) for share in _shares_of(column))


def _pack_columns(columns: Sequence[ColumnResult], events: int) -> tuple[Integers, ...]:
    counts = [[round(share * events) for share in _shares_of(column)] for column in columns]
    # A column's values and its slots are all of the events, but where a slot is counted apart.
    rest = [column.n + sum(slots) - events for column, slots in zip(columns, counts, strict=True)]
    calibrations = [_CALIBRATIONS.index(column.calibration) for column in columns]
    inconclusive = [_INCONCLUSIVE.index(column.inconclusive) for column in columns]
    packed = [pack_integers(values) for values in (rest, *zip(*counts, strict=True), calibrations, inconclusive)]
    judged = [column for column in columns if not column.inconclusive]
    packed += pack_numbers([_numbers_of(column) for column in judged])
    asked = [column.further is not None for column in judged]
    if any(asked):
        further = [column.further or FurtherStatistics() for column in judged]
        freedoms = [statistics.chi_squared_freedom for statistics in further]
        packed.append(pack_integers(asked))
        packed.append(pack_integers([-1 if freedom is None else freedom for freedom in freedoms]))
        packed += pack_numbers([_further_of(statistics) for statistics in further])
    return tuple(packed)


def _unpack_columns(packed: _Packed, names: Sequence[str]) -> list[ColumnResult]:
    size, events = len(names), packed.events
    rest, missing, invalid, unseen, calibrations, inconclusive = (
        unpack_integers(number, size) for number in packed.numbers[:_OF_ALL]
    )
    judged = inconclusive.count(0)
    stop = _OF_ALL + 2 * len(_NUMBERS)
    plain = unpack_numbers(packed.numbers[_OF_ALL:stop], judged)
    numbers = iter(zip(*plain, _unpack_further(packed.numbers[stop:], judged), strict=True))
    columns = []
    for at, name in enumerate(names):
        psi, ks, ks_bound, phi, further = (None,) * 5 if inconclusive[at] else next(numbers)
        columns.append(
            ColumnResult(
                name=name,
                n=events + rest[at] - missing[at] - invalid[at] - unseen[at],
                psi=psi,
                ks=ks,
                ks_bound=ks_bound,
                phi=phi,
                calibration=_CALIBRATIONS[calibrations[at]],
                missing=missing[at] / events if missing[at] else 0.0,
                invalid=invalid[at] / events if invalid[at] else 0.0,
                unseen=unseen[at] / events if unseen[at] else 0.0,
                further=further,
                inconclusive=_INCONCLUSIVE[inconclusive[at]],
            )
        )
    return columns


def _unpack_further(packed: Sequence[Integers], size: int) -> list[FurtherStatistics | None]:
    if not packed:
        return [None] * size
    asked, freedoms = (unpack_integers(integers, size) for integers in packed[:2])
    numbers = unpack_numbers(packed[2:], size)
    return [
        FurtherStatistics(
            chi_squared_freedom=None if freedoms[at] < 0 else freedoms[at],
            **dict(zip(_FURTHER, (number[at] for number in numbers), strict=True)),
        )
        if asked[at]
        else None
        for at in range(size)
    ]

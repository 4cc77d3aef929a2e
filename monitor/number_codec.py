"""Columns of numbers in few bits: integers above their lowest, floats to six significant digits.

Rounding is arithmetic that IEEE 754 fixes, so every machine stores the same bytes: logarithms and sums of arrays differ
in their last bits from one processor or library to the next, the digits that are kept do not. `ten_digits` is for the
few numbers that somebody may act on.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.arrays import Float64s, Int64s

# A list of integers: one that all of them are, or two bytes (bits of each above the lowest, bytes of the lowest), the
# lowest, and the bits.
Integers = int | bytes

_DIGITS = 6
_FIRST, _CODES_PER_DECADE = 10 ** (_DIGITS - 1), 9 * 10 ** (_DIGITS - 1)
_SMALLEST, _GREATEST = 1e-290, 1e290
_NUMBER, _ABSENT, _ZERO, _NEGATIVE = range(4)
_WITH_CODE = (_NUMBER, _NEGATIVE)
_POWERS = np.array([float(f"1e{power}") for power in range(309)])


def can_be_packed(number: float | None) -> bool:
    """Return whether six digits and a decade can say *number*: not NaN, infinite or next to the limits of floats."""
    return number is None or number == 0 or _SMALLEST < abs(number) < _GREATEST


def ten_digits(number: float) -> float:
    """Return *number* to ten significant digits, as it is stored where something was proven."""
    return float(f"{number:.10g}")


def six_digits(number: float) -> float:
    """Return *number* as it comes back from being packed."""
    packed = pack_numbers([(number,)])
    return unpack_numbers(packed, 1)[0][0] or 0.0


def pack_numbers(rows: Sequence[Sequence[float | None]]) -> list[Integers]:
    """Return what `unpack_numbers` reads: for each number that *rows* have, its kind in each row, then the codes."""
    if not rows:
        return []
    kinds, codes = _codes(np.array(rows, dtype=np.float64).T)
    packed: list[Integers] = []
    for its_kinds, its_codes in zip(kinds.tolist(), codes.tolist(), strict=True):
        packed.append(pack_integers(its_kinds))
        packed.append(pack_integers([c for c, kind in zip(its_codes, its_kinds, strict=True) if kind in _WITH_CODE]))
    return packed


def unpack_numbers(packed: Sequence[Integers], size: int) -> list[list[float | None]]:
    """Return each number of *size* rows, to six digits."""
    fields = []
    for its_kinds, its_codes in zip(packed[::2], packed[1::2], strict=True):
        kinds = unpack_integers(its_kinds, size)
        codes = unpack_integers(its_codes, sum(kind in _WITH_CODE for kind in kinds))
        values = iter(_values_of(np.array(codes, dtype=np.int64)).tolist())
        fields.append([_value(kind, values) for kind in kinds])
    return fields


def _value(kind: int, values: Iterator[float]) -> float | None:
    if kind == _ABSENT:
        return None
    if kind == _ZERO:
        return 0.0
    return -next(values) if kind == _NEGATIVE else next(values)


def _codes(values: Float64s) -> tuple[Int64s, Int64s]:
    """Return the kinds of *values* and, for each number, the place of its six digits among all such: 9·10⁵ a decade."""
    kinds = np.full(values.shape, _NUMBER)
    kinds[values < 0], kinds[values == 0], kinds[np.isnan(values)] = _NEGATIVE, _ZERO, _ABSENT
    size = np.where((kinds == _ZERO) | (kinds == _ABSENT), 1.0, np.abs(values))
    # The logarithm may be off by one at a power of ten; the digits then have one too many or too few.
    decade = np.floor(np.log10(size)).astype(np.int64)
    decade -= _digits(size, decade) < _FIRST
    digits = _digits(size, decade)
    decade += digits >= 10 * _FIRST
    digits = np.where(digits >= 10 * _FIRST, _FIRST, digits)
    return kinds, decade * _CODES_PER_DECADE + digits - _FIRST


def _digits(size: Float64s, decade: Int64s) -> Int64s:
    power = _DIGITS - 1 - decade
    digits: Int64s = np.rint(size * _POWERS[np.maximum(power, 0)] / _POWERS[np.maximum(-power, 0)]).astype(np.int64)
    return digits


def _values_of(codes: Int64s) -> Float64s:
    decade, digits = codes // _CODES_PER_DECADE, codes % _CODES_PER_DECADE + _FIRST
    power = _DIGITS - 1 - decade
    values: Float64s = digits * _POWERS[np.maximum(-power, 0)] / _POWERS[np.maximum(power, 0)]
    return values


def pack_integers(values: Sequence[int]) -> Integers:
    """Return *values* in as many bits each as their range needs."""
    lowest = min(values, default=0)
    width = (max(values, default=0) - lowest).bit_length()
    if width == 0:
        return int(lowest)
    bits = 0
    for value in reversed(values):
        bits = bits << width | value - lowest
    size = (lowest.bit_length() + 8) // 8
    head = bytes((width, size)) + lowest.to_bytes(size, "little", signed=True)
    return head + bits.to_bytes((width * len(values) + 7) // 8, "little")


def unpack_integers(packed: Integers, size: int) -> list[int]:
    """Return the *size* integers that `pack_integers` packed."""
    if isinstance(packed, int):
        return [packed] * size
    width, stop = packed[0], 2 + packed[1]
    lowest = int.from_bytes(packed[2:stop], "little", signed=True)
    bits, mask = int.from_bytes(packed[stop:], "little"), (1 << width) - 1
    return [lowest + (bits >> at & mask) for at in range(0, width * size, width)]

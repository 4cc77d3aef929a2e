"""What is written of a pane's counts is what is read, in the narrowest type; panes add up the same in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import CorruptPaneError
from monitor.windows.count_cache import total
from monitor.windows.pane_codec import decode_counts, encode_counts

LIMITS = (2**8 - 1, 2**16 - 1, 2**32 - 1, 2**62)
counts_lists = st.sampled_from(LIMITS).flatmap(
    lambda largest: st.lists(st.integers(0, largest), min_size=1, max_size=60)
)


@given(counts_lists)
def test_decoding_gives_back_what_was_encoded_in_the_narrowest_type(values: list[int]) -> None:
    """Every count survives, and a pane of small counts takes one byte each before compression."""
    result = decode_counts(encode_counts(np.array(values, dtype=np.int64)), size=len(values))
    assert result.tolist() == values
    narrowest = next(limit for limit in (2**8, 2**16, 2**32, 2**64) if max(values) < limit)
    assert 2 ** (8 * result.dtype.itemsize) == narrowest


@given(st.lists(st.lists(st.integers(0, 2**40), min_size=5, max_size=5), min_size=1, max_size=8), st.randoms())
def test_deltas_add_up_the_same_in_any_order_and_grouping(deltas: list[list[int]], random: object) -> None:
    """Merging is associative and commutative: partial sums that are stored again change nothing."""
    encoded = [encode_counts(np.array(delta, dtype=np.int64)) for delta in deltas]
    expected = np.array(deltas, dtype=np.int64).sum(axis=0).tolist()
    random.shuffle(encoded)  # type: ignore[attr-defined]  # hypothesis hands over a random.Random
    cut = len(encoded) // 2
    groups = [total((decode_counts(pane, size=5) for pane in part), size=5) for part in (encoded[:cut], encoded[cut:])]
    again = [decode_counts(encode_counts(group), size=5) for group in groups]
    assert total(again, size=5).tolist() == expected


@pytest.mark.parametrize(
    "broken", [b"", b"\x09abc", b"\x00not zstd", encode_counts(np.zeros(4, dtype=np.int64))], ids=repr
)
def test_a_damaged_pane_is_an_error_and_never_a_number(broken: bytes) -> None:
    """An empty, foreign, damaged or too short pane is refused with what was expected."""
    with pytest.raises(CorruptPaneError, match="expected"):
        decode_counts(broken, size=5)

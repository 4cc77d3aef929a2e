"""The bound of a share's movement covers the movement that there is, more generously the fewer blocks show it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import BinMismatchError
from monitor.stats.share_movement import share_movement_bound


def bounds(*, blocks: int, events: int, correlation: float, share: float = 0.1, memory: float = 0.0) -> list[float]:
    """Return the bounds that 300 references show whose blocks' shares vary as a correlation of their events makes them.

    Args:
        memory: Autocorrelation of the blocks' shares.
    """
    random = np.random.default_rng(31)
    worth = 1.0 / correlation - 1.0 if correlation else 0.0
    results = []
    for _ in range(300):
        if memory:
            noise = random.standard_normal(blocks)
            for place in range(1, blocks):
                noise[place] = memory * noise[place - 1] + np.sqrt(1.0 - memory**2) * noise[place]
            shares = share + np.sqrt(correlation * share * (1.0 - share)) * noise
        elif correlation:
            shares = random.beta(share * worth, (1.0 - share) * worth, blocks)
        else:
            shares = np.full(blocks, share)
        bound = share_movement_bound(random.binomial(events, np.clip(shares, 0.0, 1.0)), np.full(blocks, events))
        assert bound is not None
        results.append(bound)
    return results


@pytest.mark.parametrize("blocks", [7, 14, 28, 2016])
@pytest.mark.parametrize("correlation", [0.005, 0.02, 0.05])
def test_nine_references_of_ten_show_no_less_than_there_is(blocks: int, correlation: float) -> None:
    """The variance between blocks of 500 events is *correlation*; 0.90 to 0.97 of the references do."""
    covered = np.mean([bound >= correlation for bound in bounds(blocks=blocks, events=500, correlation=correlation)])
    assert covered >= 0.85


def test_blocks_that_move_together_count_as_fewer() -> None:
    """Fourteen days of a rate with a memory of days: the bound is larger than that of as many independent days."""
    alone = np.median(bounds(blocks=14, events=500, correlation=0.01))
    together = np.median(bounds(blocks=14, events=500, correlation=0.01, memory=0.6))
    assert together > 1.05 * alone


def test_many_blocks_of_independent_events_show_nearly_nothing() -> None:
    """A week of five minutes: a tenth of the sampling variance at most, so truths count nearly fully."""
    assert np.median(bounds(blocks=2016, events=500, correlation=0.0)) < 0.1 / 500


def test_few_blocks_are_no_proof_of_independence() -> None:
    """Seven days of independent events may still hide as much movement as sampling makes."""
    assert np.median(bounds(blocks=7, events=500, correlation=0.0)) > 1.0 / 500


@given(blocks=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12))
def test_what_shows_nothing_is_not_measured(blocks: list[tuple[int, int]]) -> None:
    """Fewer than five usable blocks, or a share of 0 or 1, are None; every other answer is a variance."""
    totals = np.array([right + wrong for right, wrong in blocks], dtype=np.int64)
    counts = np.array([wrong for _, wrong in blocks], dtype=np.int64)
    bound = share_movement_bound(counts, totals)
    usable = int(np.sum((totals >= 50) & (totals < totals.sum())))
    if usable < 5 or counts.sum() in (0, totals.sum()):
        assert bound is None
    else:
        assert bound is not None
        assert bound >= 0.0


def test_shapes_must_agree() -> None:
    """One count for each total."""
    with pytest.raises(BinMismatchError, match="expected two equal shapes"):
        share_movement_bound(np.zeros(3, dtype=np.int64), np.zeros(4, dtype=np.int64))

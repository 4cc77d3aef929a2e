"""Levels of natural movement against simulated references: what passes them, and that they are of use."""

import pytest

from benchmarks.movement_figures import Wander, passing, passing_when_known


@pytest.mark.parametrize(
    ("wander", "blocks"),
    [
        (Wander(movement=0.45, memory=6.0), 168),
        (Wander(movement=0.45, memory=6.0), 672),
        (Wander(movement=0.3, memory=6.0), 168),
        (Wander(movement=0.3), 168),
        (Wander(movement=0.3, memory=6.0, bins=30), 168),
        (Wander(movement=0.5, memory=2.0), 7),
        (Wander(movement=0.5, memory=2.0), 14),
        (Wander(movement=0.5, memory=2.0), 100),
    ],
)
def test_a_column_of_movement_and_chance_keeps_its_error_probability(wander: Wander, blocks: int) -> None:
    """Sampling in all directions neither hides a movement's memory nor lends it its degrees of freedom."""
    result = passing(wander, blocks=blocks, alpha=1e-5)
    assert result.estimated < 1.0
    assert result.known > 30.0


@pytest.mark.parametrize("alpha", [1e-4, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("movement", [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.9])
@pytest.mark.parametrize(("bins", "directions"), [(3, 1), (10, 1), (10, 2), (10, 4), (30, 1)])
def test_the_level_of_sampling_and_movement_is_that_of_their_sum(
    bins: int, directions: int, movement: float, alpha: float
) -> None:
    """Known ones: summed over the sampling of the other directions the level is passed with about its probability."""
    wander = Wander(bins=bins, movement=movement, directions=directions)
    assert 0.35 < passing_when_known(wander, alpha=alpha) < 1.35


def test_a_month_of_hours_is_known_well_enough() -> None:
    """Of a movement with a memory of six blocks, 672 raise the exact level (10.5 times the mean) by a quarter."""
    assert 10.5 < passing(Wander(movement=0.45, memory=6.0), blocks=672, alpha=1e-5).multiple < 13.1

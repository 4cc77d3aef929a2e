"""Levels of movement with a memory, by references whose blocks cover it a few times only."""

import pytest

from benchmarks.long_window_figures import windows_of


@pytest.mark.parametrize(("memory", "before", "now"), [(24.0, 1.5, 1.0), (72.0, 30.0, 6.0)])
def test_a_month_of_blocks_knows_a_memory_of_days(memory: float, before: float, now: float) -> None:
    """Windows of four hours, by each length alone and together; a tenth of the reference is a few times the nominal."""
    [four_hours] = windows_of([4], days=28, movement=0.3, memory=memory, alpha=1e-5)
    assert four_hours.each_by_itself > before
    assert four_hours.together < now


def test_a_column_that_does_not_move_pays_little_for_it() -> None:
    """The level of an hour, from a week, is under 5.3 mean PSIs; it was 4.9."""
    [hour] = windows_of([1], days=7, movement=0.0, memory=0.0, alpha=1e-5)
    assert hour.level < 5.3
    assert hour.together <= hour.each_by_itself < 1.0

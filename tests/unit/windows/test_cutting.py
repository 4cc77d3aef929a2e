"""Windows cut out of pane rows, drawn on a line of minutes."""

import pytest

from monitor.types import Scale
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import PaneRow, SpanCutError, StepRows

FOUR = Scale(length=4, step=2)


def row(row_id: int, minute: int, span: int = 1) -> PaneRow:
    return PaneRow(row_id, 1, minute * MINUTE_MILLIS, span, 1, 0)


def test_a_window_is_two_halves_and_the_window_before() -> None:
    """Each row is in exactly one part; an event at a cut belongs to the right of it.

    ::

        minute   0   1   2   3   4   5   6   7   8
        rows     a   b   c   d   e   f   g   h   i
                 |-- previous --|-- 1st -|-- 2nd -|    window (4, 8]
    """
    window = StepRows(FOUR, [row(index, index) for index in range(9)]).window(8 * MINUTE_MILLIS)
    assert [previous_row.row_id for previous_row in window.previous_rows] == [0, 1, 2, 3]
    assert [pane.row_id for step in window.first_half for pane in step] == [4, 5]
    assert [pane.row_id for step in window.second_half for pane in step] == [6, 7]


def test_a_longer_row_inside_a_half_is_used_whole() -> None:
    """A compacted row that ends at the cut is fine."""
    rows = [row(1, 4, span=2), row(2, 6), row(3, 7)]
    window = StepRows(FOUR, rows).window(8 * MINUTE_MILLIS)
    assert [pane.row_id for pane in window.rows] == [1, 2, 3]


@pytest.mark.parametrize("start", [-1, 3, 5, 7])
def test_a_row_over_a_cut_is_refused(start: int) -> None:
    """Start of the previous window, start, middle and end: a row over any of them raises instead of being guessed."""
    with pytest.raises(SpanCutError, match="reaches over the cut"):
        StepRows(FOUR, [row(1, start, span=2)]).window(8 * MINUTE_MILLIS)


def test_the_last_step_says_how_many_predictions_it_has() -> None:
    """Where a compacted row holds the last step and more, nobody can say.

    ::

        minute   0   1   2   3   4   5   6   7   8      steps of one minute
        rows                     5   5   3   4
        then                     5   5   (   7   )
    """
    scale = Scale(length=4, step=1)

    def sampled(minute: int, count: int, span: int = 1) -> PaneRow:
        return PaneRow(minute, 1, minute * MINUTE_MILLIS, span, count, count)

    fine = [sampled(4, 5), sampled(5, 5), sampled(6, 3), sampled(7, 4)]
    assert StepRows(scale, fine).window(8 * MINUTE_MILLIS).sampled_in_last_step == 4
    assert StepRows(scale, fine).window(9 * MINUTE_MILLIS).sampled_in_last_step == 0
    coarse = [sampled(4, 5), sampled(5, 5), sampled(6, 7, span=2)]
    assert StepRows(scale, coarse).window(8 * MINUTE_MILLIS).sampled_in_last_step is None

"""Which steps of a window are judged: those whose truths are in; none apart where predictions cannot be told apart."""

from monitor.evaluate.truth_steps import TruthSteps, sampled_by_step
from monitor.truth.lasting_errors import StepTruths
from monitor.types import MINUTE_MILLIS, Scale
from monitor.windows.cutting import PaneRow

START = 1_790_000_000_000 // 604_800_000 * 604_800_000  # a multiple of every step
SCALE = Scale(length=20, step=5)
STEP = 5 * MINUTE_MILLIS


def truths(*labelled: int) -> TruthSteps:
    """Return steps from START on with so many truths, all right; 0: the step has none."""
    return TruthSteps(
        SCALE,
        [
            StepTruths(start=START + place * STEP, labelled=each, correct=each)
            for place, each in enumerate(labelled)
            if each
        ],
    )


def row(minute: int, sampled: int, *, span: int = 1) -> PaneRow:
    """Return a pane row that begins *minute* minutes after START."""
    start = START + minute * MINUTE_MILLIS
    return PaneRow(row_id=minute, cells_id=1, start=start, span=span, events=sampled, sampled=sampled)


def labelled_of(steps: tuple[StepTruths, ...]) -> list[tuple[int, int]]:
    """Return (minutes after START, truths) of each step."""
    return [((each.start - START) // MINUTE_MILLIS, each.labelled) for each in steps]


def test_a_window_has_the_truths_of_its_steps() -> None:
    """Half-open: the step that begins at the window's end is not in it.

    ::

        minutes  0    5    10   15   20   25
        truths   10   20   30   40   50
    """
    steps = truths(10, 20, 30, 40, 50)
    assert [steps.sums(START + end * STEP)[0] for end in (1, 4, 5, 6, 9)] == [10, 100, 140, 120, 0]
    assert steps.reach == (START, START + 5 * STEP)
    assert TruthSteps(SCALE, []).reach == (0, 0)


def test_a_step_counts_once_its_truths_are_in() -> None:
    """Four in five of each step, whatever the window has as a whole.

    ::

        minutes  0    5    10   15
        sampled  50   50   50   50
        truths   50   40   39   50      the third waits
    """
    sampled = sampled_by_step([row(minute, 10) for minute in range(20)], SCALE)
    assert sampled == {START + place * STEP: 50 for place in range(4)}
    judged = truths(50, 40, 39, 50).judged(START + 4 * STEP, sampled=sampled, maturity=0.8)
    assert labelled_of(judged) == [(0, 50), (5, 40), (15, 50)]


def test_steps_that_share_a_compacted_row_are_one() -> None:
    """A row of ten minutes holds the predictions of two steps: which are whose is not known any more."""
    rows = [row(0, 100, span=10), row(3, 5), row(10, 50), row(15, 50)]
    sampled = sampled_by_step(rows, SCALE)
    assert sampled == {START + 2 * STEP: 50, START + 3 * STEP: 50}
    steps = truths(50, 40, 50, 50)
    assert labelled_of(steps.judged(START + 4 * STEP, sampled=sampled, maturity=0.8)) == [(0, 190)]
    later = steps.judged(START + 6 * STEP, sampled=sampled, maturity=0.8)
    assert labelled_of(later) == [(10, 50), (15, 50)]  # a window beyond that row is not concerned


def test_steps_whose_rows_are_gone_are_one() -> None:
    """Counts are kept for a time only, truths may come later still."""
    sampled = sampled_by_step([row(15, 50)], SCALE)
    judged = truths(10, 10, 10, 50).judged(START + 4 * STEP, sampled=sampled, maturity=0.8)
    assert labelled_of(judged) == [(0, 80)]

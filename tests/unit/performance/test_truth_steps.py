"""Which steps of a window are judged: those whose truths are in."""

from monitor.evaluate.accuracy import TruthSteps
from monitor.performance.error_detector import StepTruths
from monitor.types import Scale
from monitor.units import MINUTE_MILLIS

START = 1_790_000_000_000 // 604_800_000 * 604_800_000  # a multiple of every step
SCALE = Scale(length=20, step=5)
STEP = 5 * MINUTE_MILLIS


def truths(*labelled: int) -> TruthSteps:
    """Return steps from START on with so many truths, all right; 0: the step has none."""
    return TruthSteps(
        SCALE,
        [
            StepTruths(start=START + place * STEP, labelled=count, correct=count)
            for place, count in enumerate(labelled)
            if count
        ],
    )


def labelled_of(steps: tuple[StepTruths, ...]) -> list[tuple[int, int]]:
    """Return (minutes after START, truths) of each step."""
    return [((step.start - START) // MINUTE_MILLIS, step.labelled) for step in steps]


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
    steps = truths(50, 40, 39, 50)
    immature = steps.immature({START + place * STEP: 50 for place in range(1, 5)}, maturity=0.8)
    assert immature == {START + 2 * STEP}
    assert labelled_of(steps.of_window(START + 4 * STEP, without=immature)) == [(0, 50), (5, 40), (15, 50)]


def test_where_it_is_not_known_nobody_waits() -> None:
    """Of steps that were compacted before they were looked at the window's own maturity is enough."""
    assert truths(10, 10, 10, 50).immature({START + 4 * STEP: 50}, maturity=0.8) == frozenset()

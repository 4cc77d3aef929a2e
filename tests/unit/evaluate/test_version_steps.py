"""By which decision each window of a version is judged: steps over the window ends."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluate.version_decisions import Ends, Steps, VersionDecisions, cut_steps
from monitor.evaluate.window import ModelDecision
from monitor.types import Scale


def decision(number: int) -> ModelDecision:
    return ModelDecision(
        prepared=None,  # type: ignore[arg-type]  # nothing is judged here
        cells_id=1,
        size=0,
        cells_order=(),
        spec_version=1,
        reference_id=number,
    )


OF_MODEL = decision(0)
WARMING, LEARNT, ADOPTED = (partial(decision, number) for number in (1, 2, 3))
SHORT, LONG = Scale(length=10, step=5), Scale(length=60, step=10)


def by_end(decisions: VersionDecisions, version: str, ends: Ends) -> dict[tuple[Scale, int], int]:
    """Reference id of the decision of each window; fails where a window has two."""
    chosen: dict[tuple[Scale, int], int] = {}
    for decided, parts in decisions.of(version, ends):
        for scale, of_scale in parts:
            for end in of_scale:
                assert (scale, end) not in chosen
                chosen[scale, end] = decided.reference_id
    return chosen


def test_windows_go_by_the_step_that_holds_at_their_end() -> None:
    steps: Steps = ((11, WARMING), (30, LEARNT), (50, ADOPTED))
    decisions = VersionDecisions(of_model=OF_MODEL, steps={"2": steps})
    ends: Ends = ((SHORT, (5, 10, 11, 29, 30, 49, 50, 90)), (LONG, (60,)))
    assert by_end(decisions, "2", ends) == {
        **dict(zip([(SHORT, end) for end in ends[0][1]], [0, 0, 1, 1, 2, 2, 3, 3], strict=True)),
        (LONG, 60): 3,
    }
    assert [part.reference_id for part, _ in decisions.of("1", ends)] == [0]
    assert list(decisions.of("1", ends)) == [(OF_MODEL, ends)]


@pytest.mark.parametrize(
    ("start", "left"),
    [(0, []), (11, []), (20, [WARMING]), (30, [WARMING]), (40, [WARMING, LEARNT])],
)
def test_a_later_step_ends_those_before(start: int, left: list[Callable[[], ModelDecision]]) -> None:
    """What would have been learnt after an adoption is not used."""
    steps = cut_steps(((11, WARMING), (30, LEARNT)), start, ADOPTED)
    assert [part for _, part in steps] == [*left, ADOPTED]
    assert [begin for begin, _ in steps] == sorted(begin for begin, _ in steps)


@given(
    starts=st.lists(st.integers(0, 40), max_size=5),
    ends=st.lists(st.integers(0, 50), max_size=12, unique=True).map(sorted),
    cut=st.integers(0, 12),
)
def test_how_ends_are_batched_changes_nothing(starts: list[int], ends: list[int], cut: int) -> None:
    """Every window has exactly one decision, the same in one batch or two."""
    steps: Steps = ()
    for number, start in enumerate(sorted(starts), start=1):
        steps = cut_steps(steps, start, partial(decision, number))
    decisions = VersionDecisions(of_model=OF_MODEL, steps={"2": steps})
    whole = by_end(decisions, "2", ((SHORT, tuple(ends)),))
    parts = [by_end(decisions, "2", ((SHORT, tuple(part)),)) for part in (ends[:cut], ends[cut:])]
    assert whole == parts[0] | parts[1]
    assert {end for _, end in whole} == set(ends)


def test_only_what_windows_ask_for_is_prepared() -> None:
    """References of versions that have no windows, and of steps that are over, are neither read nor prepared."""

    def unasked() -> ModelDecision:
        raise AssertionError("prepared for no window")

    steps: Steps = ((11, unasked), (30, LEARNT))
    decisions = VersionDecisions(of_model=OF_MODEL, steps={"1": ((0, unasked),), "2": steps})
    assert by_end(decisions, "2", ((SHORT, (5, 40)),)) == {(SHORT, 5): 0, (SHORT, 40): 2}

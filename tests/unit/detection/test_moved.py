"""Which columns are listed as moved next to those that are proven."""

import numpy as np

from monitor.results import WindowResult
from monitor.types import Verdict
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, prepared_of

NAMES = tuple(f"x{number:02d}" for number in range(20))
PREPARED = prepared_of(
    {name: np.random.default_rng(number).normal(size=20_000) for number, name in enumerate(NAMES)},
    columns={name: {"kind": "numeric", "importance": 0.5 if name == "x07" else None} for name in NAMES},
)


def window(seed: int, *, events: int, **shifts: float) -> WindowResult:
    generator = np.random.default_rng(seed)
    halves = [
        count(PREPARED.layout, {name: generator.normal(shifts.get(name, 0.0), size=events // 2) for name in NAMES})
        for _ in range(2)
    ]
    return decide_window(PREPARED, scale=HOUR, first_half=halves[0], second_half=halves[1], events=events)


def test_a_column_that_is_not_proven_alone_is_listed_next_to_one_that_is() -> None:
    """One sigma in x03 is proven; 0.55 sigma in x11 (PSI 0.3) among 400 events is not, and is listed all the same."""
    result = window(1, events=400, x03=1.0, x11=0.55)
    assert [finding.column for finding in result.findings] == ["x03"]
    assert result.moved == ("x03", "x11")


def test_nothing_is_listed_while_nothing_is_found() -> None:
    """A quiet window has no list, and neither has one whose only movement is not proven."""
    assert window(2, events=2000).moved == ()
    unproven = window(3, events=400, x11=0.55)
    assert unproven.verdict is Verdict.OK
    assert unproven.moved == ()


def test_at_most_one_in_twenty_is_listed_falsely() -> None:
    """Over 200 windows with one moved column of twenty, under a twentieth of what is listed did not move."""
    listed = [name for seed in range(200) for name in window(seed, events=400, x03=1.0).moved]
    false = sum(name != "x03" for name in listed)
    assert listed.count("x03") == 200
    # 0.05 of some 200 names is 10; its own standard deviation is 3
    assert false <= 10


def test_the_most_certain_come_first_and_importance_settles_ties() -> None:
    """The proven by their bound, then the others by importance."""
    result = window(1, events=400, x03=1.5, x05=1.0, x07=0.55, x11=0.55)
    assert {finding.column for finding in result.findings} == {"x03", "x05"}
    assert result.moved == ("x03", "x05", "x07", "x11")

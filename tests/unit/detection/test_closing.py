"""Which columns are not calm: by what is left of PSI and D without chance and natural movement, each by itself."""

from typing import Any

import numpy as np
import pytest

from monitor.detection import PreparedReference, prepare_reference
from monitor.reference.profile import ColumnMovement
from monitor.results import RestlessColumn, WindowResult
from monitor.types import Calibration, IncidentKind, Statistic, Tier
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, profile_of, spec_of

NAMES = [f"x{number}" for number in range(20)]
REFERENCE = {name: np.random.default_rng(number).normal(size=20_000) for number, name in enumerate(NAMES)}
LAYOUT = layout_of(REFERENCE)
MOVES = ColumnMovement(kappa=29 / 200, nu=9.0, status=Calibration.MEASURED, blocks=1000, sampling=1 / 200)


def prepared(*, movement: ColumnMovement | None = None, **parts: Any) -> PreparedReference:
    """Return the twenty columns, of which x0 may move naturally."""
    moves = {} if movement is None else {"x0": {60: movement}}
    return prepare_reference(spec_of(LAYOUT, **parts), profile_of(LAYOUT, count(LAYOUT, REFERENCE), **moves))


@pytest.fixture(scope="module")
def quiet() -> PreparedReference:
    return prepared()


def window(
    reference: PreparedReference, *, events: int, seed: int, shifts: dict[str, float] | None = None
) -> WindowResult:
    random, halves = np.random.default_rng(seed), []
    for _ in range(2):
        values = {name: random.normal((shifts or {}).get(name, 0.0), size=events // 2) for name in NAMES}
        halves.append(count(LAYOUT, values))
    return decide_window(reference, scale=HOUR, first_half=halves[0], second_half=halves[1], events=events)


def test_a_quiet_column_of_200_events_is_calm(quiet: PreparedReference) -> None:
    """Of 4,000 at most one in two hundred is restless, where a raw PSI is over 0.07 in 11 % of them.

    The largest of twenty was: hardly any window of a stationary stream could close an incident.
    """
    results = [window(quiet, events=200, seed=seed) for seed in range(200)]
    raw = [sum(column.psi >= 0.07 for column in result.columns if column.psi is not None) for result in results]
    assert sum(raw) > 0.08 * 4000
    assert sum(number == 0 for number in raw) < 0.3 * 200
    assert sum(column.tier > Tier.NONE for result in results for column in result.restless or ()) <= 20


def test_a_column_that_moved_is_not(quiet: PreparedReference) -> None:
    """Half a standard deviation is a PSI of 0.24, and with 6,000 events nothing else is restless."""
    result = window(quiet, events=6000, seed=1, shifts={"x3": 0.5})
    assert result.restless == (RestlessColumn("x3", Tier.CRITICAL, Tier.CRITICAL),) or result.restless == (
        RestlessColumn("x3", Tier.ALERT, Tier.ALERT),
    )
    assert result.calm_below is not None
    assert not result.calm_below[0]


def test_the_tier_that_is_held_is_a_share_of_each(quiet: PreparedReference) -> None:
    """PSI of about 0.04, 0.09, 0.17 and 0.35 against 0.7 of 0.1, 0.2 and 0.3."""
    shifts = {"x1": 0.2, "x2": 0.31, "x3": 0.42, "x4": 0.6}
    result = window(quiet, events=40_000, seed=2, shifts=shifts)
    assert [(column.column, column.tier) for column in result.restless or ()] == [
        ("x2", Tier.WARNING),
        ("x3", Tier.ALERT),
        ("x4", Tier.CRITICAL),
    ]


def test_what_a_column_does_by_itself_is_calm_but_not_small() -> None:
    """x0 moves x30: at 200 events a PSI of 1.9 is within that; it holds nothing, and shows no recovery either."""
    result = window(prepared(movement=MOVES), events=200, seed=3, shifts={"x0": 1.3})
    held = {column.column: column for column in result.restless or ()}
    assert result.columns[0].psi is not None
    assert result.columns[0].psi > 1.5
    assert held["x0"].tier is Tier.NONE
    assert held["x0"].size > Tier.NONE
    assert result.calm_below == (True, True, True)


def test_a_broken_column_that_cannot_be_judged_is_not_calm(quiet: PreparedReference) -> None:
    """All of x0 is missing; the others are calm and say so, each for itself."""
    random = np.random.default_rng(4)
    table: dict[str, Any] = {name: random.normal(size=300) for name in NAMES[1:]}
    half = count(LAYOUT, {"x0": [None] * 300, **table})
    result = decide_window(quiet, scale=HOUR, first_half=half, second_half=half, events=600)
    assert [finding.statistic for finding in result.findings] == [Statistic.SCHEMA]
    assert result.findings[0].kind is IncidentKind.DATA_QUALITY
    assert result.restless == (RestlessColumn("x0", Tier.CRITICAL, Tier.CRITICAL),)


def test_the_textbook_rule_closes_by_what_it_opens_with() -> None:
    """Plain values on both sides; and what it found by a p-value holds, however small."""
    textbook = prepared(drift={"rule": "textbook"})
    results = [window(textbook, events=200, seed=seed) for seed in range(20)]
    assert sum(len(result.restless or ()) for result in results) > 20
    for result in results:
        held = {column.column for column in result.restless or ()}
        assert {finding.column for finding in result.findings if finding.kind is IncidentKind.DRIFT} <= held

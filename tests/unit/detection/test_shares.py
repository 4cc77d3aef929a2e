"""Broken fields: typed data quality, with the same endurance as drift, and never reported twice."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from monitor.detection import PreparedReference
from monitor.results import Finding, WindowResult
from monitor.types import IncidentKind, Tier, Verdict
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, Values, count, prepared_of

Change = Callable[[npt.NDArray[Any]], Values | Sequence[Any]]
NONE: Mapping[str, Change] = MappingProxyType({})
EVENTS = 1000


@pytest.fixture(scope="module")
def prepared() -> PreparedReference:
    generator = np.random.default_rng(80)
    return prepared_of(
        {
            "amount": generator.lognormal(3.0, 1.0, 20_000),
            "city": generator.choice(["berlin", "paris", "rome"], 20_000, p=[0.6, 0.3, 0.1]),
            "flag": np.full(20_000, 7.0),
            "prediction.score": generator.random(20_000),
        }
    )


def half(
    prepared: PreparedReference,
    seed: int,
    *,
    events: int = EVENTS,
    changes: Mapping[str, Change] = MappingProxyType({}),
) -> np.ndarray:
    generator = np.random.default_rng(seed)
    table = {
        "amount": generator.lognormal(3.0, 1.0, events),
        "city": generator.choice(["berlin", "paris", "rome"], events, p=[0.6, 0.3, 0.1]),
        "flag": np.full(events, 7.0),
        "prediction.score": generator.random(events),
    }
    changed = {name: changes[name](values) if name in changes else values for name, values in table.items()}
    return count(prepared.layout, changed)


def decide(
    prepared: PreparedReference,
    first: Mapping[str, Change],
    second: Mapping[str, Change],
    *before: Mapping[str, Change],
) -> WindowResult:
    """Decide a window of two halves, and a previous window where a third change is given."""
    return decide_window(
        prepared,
        scale=HOUR,
        first_half=half(prepared, 1, changes=first),
        second_half=half(prepared, 2, changes=second),
        events=2 * EVENTS,
        previous=half(prepared, 3, events=2 * EVENTS, changes=before[0]) if before else None,
        previous_events=2 * EVENTS,
    )


def replaced(share: float, value: object) -> Change:
    """Return a change that puts *value* in the place of so large a share of the values."""
    return lambda values: [value if index % 1000 < share * 1000 else old for index, old in enumerate(values)]


def quality_findings(result: WindowResult) -> list[tuple[str, str, Tier, bool]]:
    assert all(finding.kind is IncidentKind.DATA_QUALITY for finding in result.findings), result.findings
    return [(finding.column, finding.statistic, finding.tier, finding.endured) for finding in result.findings]


@pytest.mark.parametrize(
    ("column", "statistic", "change"),
    [
        ("amount", "missing", replaced(0.05, None)),
        ("amount", "invalid", replaced(0.05, float("nan"))),
        ("city", "missing", replaced(0.05, None)),
        ("city", "unseen", replaced(0.02, "lyon")),
        ("amount", "far", lambda values: values * 100.0),
        ("amount", "far", lambda values: -values * 100.0),
    ],
)
def test_a_broken_field_is_a_warning_and_an_alert_once_the_window_before_shows_it(
    prepared: PreparedReference, column: str, statistic: str, change: Change
) -> None:
    """0 to 5 % missing or invalid, a new category of 2 %, another unit: data quality, and not drift besides."""
    broken = {column: change}
    assert quality_findings(decide(prepared, broken, broken)) == [(column, statistic, Tier.WARNING, True)]
    assert quality_findings(decide(prepared, broken, broken, {})) == [(column, statistic, Tier.WARNING, True)]
    after_same = decide(prepared, broken, broken, broken)
    assert quality_findings(after_same) == [(column, statistic, Tier.ALERT, True)]
    assert (after_same.verdict, after_same.quality_calm) == (Verdict.ALERT, False)


def test_a_share_that_one_half_does_not_show_is_not_endured(prepared: PreparedReference) -> None:
    """5 % missing over the whole window, all of it in the second half:  |  0 %  |  10 %  |."""
    result = decide(prepared, {}, {"amount": replaced(0.1, None)})
    assert quality_findings(result) == [("amount", "missing", Tier.WARNING, False)]
    assert (result.verdict, result.quality_calm) == (Verdict.OK, False)


def test_a_share_within_its_tolerance_is_no_finding(prepared: PreparedReference) -> None:
    """1.2 % missing is over the tolerance of 1 % but not proven to be, and 0.5 % is not over it."""
    for share in (0.005, 0.012):
        result = decide(prepared, {"amount": replaced(share, None)}, {"amount": replaced(share, None)})
        assert (result.findings, result.quality_calm) == ((), True)


def test_many_unseen_values_are_critical(prepared: PreparedReference) -> None:
    """A fifth of the events with a category that the reference never had passes the second limit, 5 %."""
    new = {"city": replaced(0.2, "lyon")}
    result = decide(prepared, new, new, new)
    assert quality_findings(result) == [("city", "unseen", Tier.CRITICAL, True)]
    assert result.findings[0].threshold == 0.05


def test_another_value_of_a_constant_column_is_unseen(prepared: PreparedReference) -> None:
    """A column that is always 7 in the reference cannot drift: 2 % of eights are unseen values."""
    other = {"flag": replaced(0.02, 8.0)}
    result = decide(prepared, other, other)
    assert quality_findings(result) == [("flag", "unseen", Tier.WARNING, True)]
    assert result.columns[2].unseen == pytest.approx(0.02)


def test_a_missing_field_is_a_schema_finding(prepared: PreparedReference) -> None:
    """Missing in all events needs no second window; and no incident calms down while a field is missing."""
    missing = {"amount": replaced(1.0, None)}
    result = decide(prepared, missing, missing)
    assert quality_findings(result) == [("amount", "schema", Tier.ALERT, True)]
    assert "missing in all events, reference 0 %" in result.sentence
    assert result.columns[0].inconclusive == "too_few_events"
    assert result.calm_below == (False, False, False)


def test_a_constant_in_the_second_half_is_stuck(prepared: PreparedReference) -> None:
    """One in-range value all through the second half:  |  as ever  |  20 20 20 20 ...  |  is a broken field."""
    stuck = {"amount": lambda values: np.full(len(values), 20.0)}
    result = decide(prepared, {}, stuck)
    assert quality_findings(result) == [("amount", "stuck", Tier.WARNING, True)]
    assert "100 % of the second half" in result.sentence
    assert quality_findings(decide(prepared, stuck, stuck, stuck)) == [("amount", "stuck", Tier.ALERT, True)]


def test_a_frequent_value_is_not_stuck(prepared: PreparedReference) -> None:
    """Most of the reference is `berlin`: a second half of nothing else is drift of a category."""
    result = decide(prepared, {}, {"city": lambda values: np.full(len(values), "berlin")})
    assert [(finding.kind, finding.statistic) for finding in result.findings] == [(IncidentKind.DRIFT, "psi")]


def test_the_rest_of_a_broken_field_is_not_reported_as_drift(prepared: PreparedReference) -> None:
    """A third missing and the rest doubled: the numbers stay, the drift finding gives way to the broken field."""

    def broken(values: np.ndarray) -> list[float | None]:
        return [None if index % 3 == 0 else 2.5 * value for index, value in enumerate(values)]

    result = decide(prepared, {"amount": broken}, {"amount": broken})
    assert quality_findings(result) == [("amount", "missing", Tier.WARNING, True)]
    psi = result.columns[0].psi
    assert psi is not None
    assert psi > 0.3


def test_another_unit_is_not_drift_while_its_fault_has_yet_to_endure(prepared: PreparedReference) -> None:
    """Another unit since the end of the first half: both halves show the drift, one the far values; drift waits.

    ::

        |  as ever ... x15  |  x15 x15 x15  |
    """

    def lately(values: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(values)) < 0.8 * len(values), values, 15.0 * values)

    result = decide(prepared, {"amount": lately}, {"amount": lambda values: 15.0 * values})
    assert quality_findings(result) == [("amount", "far", Tier.WARNING, False)]
    assert (result.verdict, result.quality_calm, result.calm_below) == (Verdict.OK, False, (False, False, False))


def test_a_column_that_is_not_monitored_is_counted_and_not_judged() -> None:
    """`monitor: false`: its numbers are there, its findings are not, and it costs the others no alpha."""
    generator = np.random.default_rng(81)
    table = {"shown": generator.normal(size=5000), "judged": generator.normal(size=5000)}
    columns = {"shown": {"kind": "numeric", "monitor": False}, "judged": {"kind": "numeric"}}
    prepared = prepared_of(table, columns=columns)
    counts = count(prepared.layout, {"shown": generator.normal(3.0, size=500), "judged": generator.normal(size=500)})
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=1000)
    assert (result.verdict, result.findings, result.calm_below) == (Verdict.OK, (), (True, True, True))
    assert result.columns[0].psi is not None
    assert result.columns[0].psi > 1.0
    assert prepared.alpha == pytest.approx(0.001 / 5)


def test_findings_carry_role_and_importance() -> None:
    """Rollback asks whether the prediction moved and how much the moved inputs matter."""
    generator = np.random.default_rng(82)
    table = {"x": generator.normal(size=5000), "prediction.score": generator.random(5000)}
    prepared = prepared_of(table, columns={"x": {"kind": "numeric", "importance": 0.4}})
    counts = count(
        prepared.layout, {"x": generator.normal(1.5, size=500), "prediction.score": generator.random(500) ** 3}
    )
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=1000)

    def of(column: str) -> Finding:
        return next(finding for finding in result.findings if finding.column == column)

    assert (of("x").role, of("x").importance) == ("feature", 0.4)
    assert (of("prediction.score").role, of("prediction.score").importance) == ("score", None)

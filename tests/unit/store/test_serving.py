"""Which versions serve no more, by deployments and by their last windows with events."""

import pytest

from monitor.store.deployments import Deployment
from monitor.store.scale_progress import Progress
from monitor.store.views.serving import notices_since, retired_versions
from monitor.types import Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS, WEEK_MILLIS

NOW = 3000 * HOUR_MILLIS
HOUR, DAY = 60, 24 * 60
PROGRESS = (
    Progress(length=HOUR, evaluated_until=NOW, final_until=-1),
    Progress(length=DAY, evaluated_until=NOW - HOUR_MILLIS, final_until=-1),
)


def deployed(version: str, stage: Stage, *, before: int = WEEK_MILLIS, traffic: float | None = None) -> Deployment:
    return Deployment(version=version, stage=stage, event_time=NOW - before, traffic=traffic)


SWITCHED = (deployed("1", Stage.PRODUCTION, before=3 * WEEK_MILLIS), deployed("2", Stage.PRODUCTION))


def retired(
    history: tuple[Deployment, ...], last: dict[str, int], *, open_of: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return the retired ones of versions whose *last* hour with events ended so long (ms) ago."""
    ends = {version: {HOUR: NOW - ago, DAY: NOW - HOUR_MILLIS} for version, ago in last.items()}
    return retired_versions(history, ends, PROGRESS, with_incident=open_of)


@pytest.mark.parametrize(
    ("silent", "expected"),
    [(0, ()), (HOUR_MILLIS - 5 * MINUTE_MILLIS, ()), (HOUR_MILLIS, ("1",)), (WEEK_MILLIS, ("1",))],
)
def test_a_replaced_version_is_retired_once_its_events_end(silent: int, expected: tuple[str, ...]) -> None:
    assert retired(SWITCHED, {"1": silent, "2": 0}) == expected


def test_what_serves_by_its_deployment_or_has_an_open_incident_is_not_retired() -> None:
    """A shadow without events is expected to have some; one that shares production too."""
    shadow, share = deployed("3", Stage.SHADOW), deployed("4", Stage.PRODUCTION, traffic=0.1)
    assert retired((*SWITCHED, shadow, share), {"3": WEEK_MILLIS}) == ("1",)
    assert retired(SWITCHED, {"1": WEEK_MILLIS, "2": WEEK_MILLIS}, open_of=frozenset({"1"})) == ()


def test_one_that_was_taken_out_of_service_is_retired_though_its_windows_are_dropped() -> None:
    assert retired((*SWITCHED, deployed("3", Stage.RETIRED)), {"2": 0}) == ("1", "3")


def test_a_version_without_deployments_is_retired_after_a_week_without_events() -> None:
    """As its place is free then; with deployments of others too."""
    last = {"a": 0, "b": WEEK_MILLIS - HOUR_MILLIS, "c": WEEK_MILLIS}
    assert retired((), last) == ("c",)
    assert retired(SWITCHED, last) == ("1", "c")


def test_a_scale_that_the_spec_gave_up_says_nothing() -> None:
    """It stays where it was: by it no version ever falls silent, and no notice ever ends."""
    stuck = Progress(length=10, evaluated_until=NOW - DAY_MILLIS, final_until=-1)
    ends = {"1": {10: NOW - DAY_MILLIS, HOUR: NOW - DAY_MILLIS}, "2": {HOUR: NOW}}
    assert retired_versions(SWITCHED, ends, (stuck, *PROGRESS), with_incident=frozenset()) == ("1",)
    given_up = Progress(length=7 * DAY, evaluated_until=NOW - 8 * DAY_MILLIS, final_until=-1)
    assert notices_since((given_up, *PROGRESS)) == NOW - HOUR_MILLIS - DAY_MILLIS


def test_before_the_first_window_only_deployments_speak() -> None:
    assert retired_versions(SWITCHED, {}, (), with_incident=frozenset()) == ("1",)
    assert notices_since(()) == 0


def test_a_notice_is_shown_for_the_longest_window_and_a_day_at_least() -> None:
    week = Progress(length=7 * DAY, evaluated_until=NOW - DAY_MILLIS, final_until=-1)
    assert notices_since((*PROGRESS, week)) == NOW - 8 * DAY_MILLIS
    assert notices_since(PROGRESS[:1]) == NOW - DAY_MILLIS

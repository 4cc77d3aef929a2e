"""A model's incidents while a batch is worked: which versions are no longer served, what holds drift back."""

from dataclasses import dataclass, replace

import msgspec

from alerting.incidents.state import IncidentState, Reason
from alerting.incidents.tracker import IncidentTracker, states_by_key
from alerting.incidents.transition import transition
from alerting.notifications.message import _cause
from monitor.types import OTHER_VERSIONS, IncidentKind, Statistic, Tier
from monitor.units import DAY_MILLIS, MINUTE_MILLIS
from tests.unit.alerting.timeline import RULES, T0, WHO, facts, finding, line, play


@dataclass(frozen=True)
class End:
    """A window end without evaluations."""

    window_end: int
    evaluations: tuple[()] = ()


def opened(statistic: Statistic, version: str = OTHER_VERSIONS) -> IncidentState:
    """Return the state after a window that found *statistic*."""
    result = finding(Tier.WARNING, kind=IncidentKind.DATA_QUALITY, statistic=statistic, column="")
    state, _ = transition(
        None,
        msgspec.structs.replace(facts("w", T0), findings=(result,)),
        identity=replace(WHO, version=version, kind=IncidentKind.DATA_QUALITY),
        rules=RULES,
        now_millis=T0,
    )
    assert state is not None
    return state


def tracker(state: IncidentState) -> IncidentTracker:
    return IncidentTracker(model=WHO.model, rules=RULES, now_millis=T0, states=states_by_key([state]))


def test_too_many_versions_hold_no_drift_back() -> None:
    """No field is broken by it; a broken field of the same version still does."""
    assert not tracker(opened(Statistic.VERSIONS)).quality_open(at=T0 + MINUTE_MILLIS)
    assert tracker(opened(Statistic.MISSING)).quality_open(at=T0 + MINUTE_MILLIS)


def test_too_many_versions_end_a_day_after_the_last_window() -> None:
    """No window will ever show `other` calm; another version's silence ends nothing."""
    work = tracker(opened(Statistic.VERSIONS))
    assert work.silent_other_version(at=T0 + DAY_MILLIS) == frozenset()
    silent = work.silent_other_version(at=T0 + DAY_MILLIS + 1)
    assert silent == {OTHER_VERSIONS}
    ((decision, state),) = work.feed(End(T0 + DAY_MILLIS + 1), retired=silent).steps
    assert (decision.reason, state.is_open) == (Reason.VERSION_RETIRED, False)
    assert tracker(opened(Statistic.MISSING, version="1")).silent_other_version(at=T0 + 2 * DAY_MILLIS) == frozenset()


def test_the_message_says_what_to_do_about_too_many_versions() -> None:
    """No field's owner is asked."""
    cause, step = _cause(opened(Statistic.VERSIONS), None)
    assert "more versions are alive" in cause
    assert "raise `versions` in the spec" in step


def test_an_older_end_does_not_close_what_is_open_now() -> None:
    """Version 1 serves again; a window of the time in which it did not comes with its truths: nothing is closed."""
    state, _ = play(line("cc"))
    assert state is not None
    work = tracker(state)
    work.feed(End(T0 - 60 * MINUTE_MILLIS), retired=frozenset({"1"}))
    assert work.open_of("1", IncidentKind.DRIFT) == state
    work.feed(End(T0 + 60 * MINUTE_MILLIS), retired=frozenset({"1"}))
    assert work.open_of("1", IncidentKind.DRIFT) is None


def test_a_silent_versions_broken_field_does_not_hold_the_others_back_for_ever() -> None:
    """Open for as long as nothing shows it repaired, but drift waits only for twice the scale that saw it (10 m)."""
    work = tracker(opened(Statistic.MISSING, version="1"))
    assert work.quality_open(at=T0 + 20 * MINUTE_MILLIS)
    assert not work.quality_open(at=T0 + 21 * MINUTE_MILLIS)
    assert work.open_of("1", IncidentKind.DATA_QUALITY) is not None

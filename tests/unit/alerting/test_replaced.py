"""A replaced version is retired once its events end; those that go on are an incident, and contradict an assumption."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from alerting.actions.assumed_deployments import assumed_deployments
from alerting.incidents.replaced import ReplacedVersions, contradicted, replaced_at
from alerting.incidents.state import IncidentDecision
from alerting.incidents.tracker import IncidentKey, IncidentTracker
from monitor.store.deployments import Deployment
from monitor.types import IncidentKind, Scale, Stage, Tier
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import RULES, T0, WHO

SCALE = Scale(length=10, step=5)
STEP = SCALE.step * MINUTE_MILLIS
SWITCH_OVER = 10 * MINUTE_MILLIS
KEY = IncidentKey("1", IncidentKind.DEPLOYMENT)


@dataclass(frozen=True)
class End:
    window_end: int
    evaluations: tuple[()] = ()


def deployed(version: str, minutes: float, stage: Stage = Stage.PRODUCTION, traffic: float | None = None) -> Deployment:
    return Deployment(version=version, stage=stage, traffic=traffic, event_time=T0 + round(minutes * MINUTE_MILLIS))


SWITCHED = (deployed("1", -600), deployed("2", 0))


@dataclass
class Line:
    """One letter per window end from T0 on, 5 minutes apart: ``x`` version 1 has events in the window, ``.`` none."""

    letters: str
    history: Sequence[Deployment] = SWITCHED
    work: IncidentTracker = field(init=False)
    decisions: list[IncidentDecision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work = IncidentTracker(model=WHO.model, rules=RULES, now_millis=0, states={})

    def at(self, index: int) -> ReplacedVersions:
        end = T0 + index * STEP
        events = {("1", end): 1234} if self.letters[index] == "x" else {}
        return replaced_at(end, self.history, events, shortest=SCALE, switch_over=SWITCH_OVER)

    def play(self) -> list[tuple[int, str]]:
        """Return the index and step of every decision that did something."""
        steps = []
        for index in range(len(self.letters)):
            end = T0 + index * STEP
            self.work.now_millis = end + MINUTE_MILLIS
            outcome = self.work.feed(End(end), replaced=self.at(index))
            self.decisions += [decision for decision, _ in outcome.steps]
            steps += [(index, f"{decision.step.value} {decision.reason.value}") for decision, _ in outcome.steps]
        return steps


def test_a_replaced_version_is_retired_once_its_events_end() -> None:
    """While its last windows have events it is judged; then, and not before, it is retired.

    ::

        T0  switch   x x x . .
        retired         n n n y y
    """
    line = Line("xxx..")
    assert [bool(line.at(index).retired) for index in range(5)] == [False, False, False, True, True]
    assert all(line.at(index).versions == {"1"} for index in range(5))


def test_the_minutes_of_the_switch_and_late_events_open_nothing() -> None:
    """Windows that begin before the switch-over has passed show events of both versions, as they must.

    ::

        T0 ├── 10m switch-over ──┤
           x    x    x    x    .        the window at +15m begins at +5m
    """
    assert Line("xxxx.").play() == []


def test_traffic_that_goes_on_opens_one_incident_and_its_end_closes_it() -> None:
    """From the first window wholly after the switch-over; closed by two disjoint windows without an event."""
    line = Line("xxxxxxxxx....")
    assert line.play() == [(4, "opened finding_endured"), (11, "resolved calm_long_enough")]
    assert [decision.notifies for decision in line.decisions] == [True, True]
    assert line.decisions[0].tier is Tier.WARNING


def test_the_sentence_says_which_since_when_and_how_many() -> None:
    """Version, its successor, the moment, the events of the window."""
    line = Line("xxxxx")
    line.play()
    (finding,) = line.work.states[KEY].findings
    assert finding.sentence == (
        "1,234 events in the 10 m up to 2025-06-15T15:20:00Z, expected none: "
        "version 2 took over production at 2025-06-15T15:00:00Z."
    )


def test_a_deployment_event_that_says_it_serves_closes_the_incident() -> None:
    """A share of production, a stage as canary or shadow: what has a stage may have events."""
    for stage, traffic in ((Stage.PRODUCTION, 0.2), (Stage.CANARY, None), (Stage.SHADOW, None)):
        line = Line("xxxxxxxx", (*SWITCHED, deployed("1", 31, stage, traffic)))
        assert line.play() == [(4, "opened finding_endured"), (7, "resolved version_serves")], stage


def test_a_version_that_shares_production_is_watched_and_opens_nothing() -> None:
    """Two versions with traffic shares: neither is replaced."""
    line = Line("xxxxxxxx", (deployed("1", -600), deployed("2", 0, traffic=0.5)))
    assert line.play() == []
    assert line.at(7) == ReplacedVersions()


def test_between_the_ends_of_the_shortest_scale_nothing_new_is_concluded() -> None:
    """A longer scale may end there: the last window of the shortest one says whether the version is retired."""
    end = T0 + 31 * MINUTE_MILLIS
    seen = {("1", T0 + 30 * MINUTE_MILLIS): 5}
    with_events = replaced_at(end, SWITCHED, seen, shortest=SCALE, switch_over=SWITCH_OVER)
    without = replaced_at(end, SWITCHED, {}, shortest=SCALE, switch_over=SWITCH_OVER)
    assert (with_events.retired, dict(with_events.observations)) == (frozenset(), {})
    assert (without.retired, dict(without.observations)) == ({"1"}, {})


def assumed(history: Sequence[Deployment], *, to: str = "1") -> tuple[tuple[str, Stage], ...]:
    rows = assumed_deployments(history, from_version="2", to_version=to, at=T0 + 1000, asked_at=T0)
    assert {row.assumed_since for row in rows} <= {T0}
    return tuple((row.version, row.stage) for row in rows)


def test_an_accepted_rollback_says_who_serves() -> None:
    """Out of production: the target enters. Of a canary: it leaves, the target keeps its share."""
    produced = (deployed("1", -600), deployed("2", -60))
    canary = (deployed("1", -600), deployed("2", -60, Stage.CANARY, 0.1))
    shared = (deployed("0", -900), deployed("1", -600, traffic=0.6), deployed("2", -60, Stage.CANARY, 0.1))
    assert assumed(produced) == (("1", Stage.PRODUCTION),)
    assert assumed(canary) == (("2", Stage.RETIRED),)
    assert assumed(shared) == (("2", Stage.RETIRED),)
    assert assumed((*canary, deployed("3", -30)), to="1") == (("1", Stage.PRODUCTION), ("2", Stage.RETIRED))


def test_the_stream_contradicts_what_was_assumed() -> None:
    """The other goes on without the target, in a window wholly after the switch-over; silence says nothing."""
    rollback = Deployment(version="1", stage=Stage.PRODUCTION, event_time=T0 + 60_000, assumed_since=T0)
    history = (deployed("1", -600), deployed("2", -60), rollback)
    end = T0 + 25 * MINUTE_MILLIS

    def wrong(*versions: str, at: int = end) -> tuple[Deployment, ...]:
        events = {(version, at): 10 for version in versions}
        return contradicted([rollback], history, events, window_end=at, shortest=SCALE, switch_over=SWITCH_OVER)

    assert wrong("2") == (rollback,)
    assert wrong("1") == wrong("1", "2") == wrong() == ()
    assert wrong("2", at=T0 + 20 * MINUTE_MILLIS) == ()


def test_a_canary_that_goes_on_contradicts_its_end() -> None:
    """Whether or not the version in production is seen, which it always was."""
    left = Deployment(version="2", stage=Stage.RETIRED, event_time=T0, assumed_since=T0)
    history = (deployed("1", -600), deployed("2", -60, Stage.CANARY), left)
    end = T0 + 20 * MINUTE_MILLIS
    for versions, expected in ((("1", "2"), (left,)), (("1",), ())):
        events = {(version, end): 10 for version in versions}
        result = contradicted([left], history, events, window_end=end, shortest=SCALE, switch_over=SWITCH_OVER)
        assert result == expected

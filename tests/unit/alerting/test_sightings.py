"""What stored windows show the guard: each key by its own window, vetoes, and targets, on windows in memory."""

from dataclasses import dataclass, field, replace

from alerting.actions.evidence import Comparison, Decisions, RollbackEvidence, Sighting, TargetEvidence
from alerting.actions.sightings import LABEL_COLUMN, PastService, Witnesses
from alerting.actions.windows import ConclusiveWindow
from alerting.incidents.tracker import incident_rules
from monitor.deployments import Period
from monitor.results import ColumnResult, WindowResult
from monitor.spec.file import parse_spec
from monitor.types import EvaluationKind, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.models.guarded import SPEC, MemoryArchive, window_result
from tests.unit.alerting.timeline import T0

INPUTS, PERFORMANCE = EvaluationKind.INPUTS, EvaluationKind.PERFORMANCE
SCALES = "[{length: 10m, step: 5m}, {length: 60m, step: 30m}]"
MODEL = parse_spec(SPEC.format(scales=SCALES, rollback=""), source="spec")
JUDGED = Period("2", Stage.CANARY, T0 - 2 * HOUR_MILLIS)
SERVES = PastService(serves=True, served_until=T0, bad=False, blocked=False, same_schema=True)
CRITICAL = window_result(("c", "score"))
CALM = window_result()
WORSE, FINE = window_result(("c", None)), window_result()


@dataclass
class Shown:
    """The windows of a case; the judged version is 2, the stable one 1."""

    archive: MemoryArchive = field(default_factory=MemoryArchive)

    def inputs(self, version: str, result: WindowResult, *, end: int = T0, length: int = 10) -> "Shown":
        self.archive.add(version, INPUTS, ConclusiveWindow(length=length, end=end, result=result))
        return self

    def accuracy(
        self, version: str, result: WindowResult, correct: int, *, end: int = T0, length: int = 10, after: int = 0
    ) -> "Shown":
        window = ConclusiveWindow(
            length=length, end=end, result=result, labelled=1000, correct=correct, truths_after=after
        )
        self.archive.add(version, PERFORMANCE, window)
        return self

    def evidence(
        self,
        *,
        quality_open: bool = False,
        service: PastService = SERVES,
        drift_since: int | None = T0 - HOUR_MILLIS,
        now: int = T0,
    ) -> RollbackEvidence:
        witnesses = Witnesses(spec=MODEL, rules=incident_rules(MODEL), archive=self.archive, now_millis=now)
        return witnesses.rollback_evidence(
            JUDGED, drift_since=drift_since, quality_open=quality_open, targets={"1": service}
        )


def minutes(count: int) -> int:
    return count * MINUTE_MILLIS


def test_each_key_has_the_age_of_its_own_window() -> None:
    """A window of now makes no older one fresh."""
    shown = Shown().inputs("2", CRITICAL).accuracy("2", WORSE, 700, end=T0 - HOUR_MILLIS, after=minutes(30))
    evidence = shown.evidence(quality_open=True)
    assert evidence.shift == evidence.seen == Sighting(end=T0, allowed_age=minutes(10))
    assert evidence.worse == Sighting(end=T0 - HOUR_MILLIS, allowed_age=minutes(40))
    assert not evidence.worse.fresh_at(T0)


def test_the_scale_that_stays_fresh_the_longest_counts() -> None:
    """Of two windows that show it, the one of the hour may be an hour old."""
    shown = Shown().inputs("2", CRITICAL, end=T0).inputs("2", CRITICAL, end=T0 - minutes(20), length=60)
    assert shown.evidence().shift == Sighting(end=T0 - minutes(20), allowed_age=HOUR_MILLIS)


def test_a_later_window_removes_what_an_earlier_one_showed() -> None:
    """The incident is still open; its scale's newest window does not show it any more."""
    shown = Shown().inputs("2", CRITICAL, end=T0 - minutes(10)).inputs("2", CALM)
    evidence = shown.evidence()
    assert (evidence.shift, evidence.seen) == (None, Sighting(end=T0, allowed_age=minutes(10)))


def test_a_calm_shorter_window_refutes_a_long_one() -> None:
    """The hour still holds the burst that ended; a shorter window that ended before the hour did refutes nothing."""
    burst = Shown().inputs("2", CRITICAL, length=60)
    assert burst.evidence().shift is not None
    assert burst.inputs("2", CALM, end=T0 - minutes(5)).evidence().shift is not None
    assert burst.inputs("2", CALM).evidence().shift is None


def test_no_shift_without_an_open_incident() -> None:
    """What has not endured opens none, and is no key."""
    assert Shown().inputs("2", CRITICAL).evidence(drift_since=None).shift is None
    assert Shown().accuracy("2", WORSE, 700).evidence(quality_open=False).worse is None


def test_windows_of_before_the_version_took_traffic_say_nothing() -> None:
    """It served before, as shadow or in an earlier promotion."""
    old = JUDGED.start - MINUTE_MILLIS
    shown = Shown().inputs("2", CRITICAL, end=old).accuracy("2", WORSE, 700, end=old)
    evidence = shown.evidence(quality_open=True)
    assert (evidence.seen, evidence.shift, evidence.worse) == (None, None, None)


def test_important_inputs_are_two_that_carry_three_tenths() -> None:
    """`income` carries 0.5 and `age` 0.2: one alone is no key, whatever it carries."""
    one, both = window_result(("c", "income")), window_result(("c", "income"), ("c", "age"))
    evidence = Shown().inputs("2", one).evidence()
    assert (evidence.inputs, evidence.inputs_critical, evidence.inputs_moved) == (None, True, True)
    assert Shown().inputs("2", both).evidence().inputs is not None


def test_fine_labels_of_the_time_of_the_shift() -> None:
    """Calm and mature, and at least half of the window after the shift began; newer ones decide."""
    since = T0 - HOUR_MILLIS
    in_time = Shown().accuracy("2", FINE, 950, end=since + minutes(5))
    assert in_time.evidence().fine is not None
    assert Shown().accuracy("2", FINE, 950, end=since + minutes(4)).evidence().fine is None
    assert in_time.accuracy("2", window_result(("~", None)), 900).evidence().fine is None, "near a tier is not fine"
    assert in_time.evidence(drift_since=None).fine is None, "without a shift there is nothing to veto"


def test_labels_that_are_worse_are_not_fine_at_the_same_time() -> None:
    """Ten minutes are bad, the hour is not yet: the proof counts."""
    shown = Shown().accuracy("2", WORSE, 700).accuracy("2", FINE, 940, length=60)
    evidence = shown.evidence(quality_open=True)
    assert (evidence.worse is not None, evidence.fine) == (True, None)


def test_the_target_is_compared_with_the_same_windows() -> None:
    """Labels of an earlier time say nothing about this one; a target that is bad itself is not better."""
    shown = Shown().accuracy("2", WORSE, 700)

    def compared(correct: int, *, end: int = T0, letter: str = ".") -> Comparison:
        case = Shown().accuracy("2", WORSE, 700)
        return _target(case.accuracy("1", window_result((letter, None)), correct, end=end)).quality

    assert _target(shown).quality is Comparison.NO_LABELS
    assert compared(950) is Comparison.BETTER
    assert compared(950, end=T0 - minutes(6)) is Comparison.NO_LABELS
    assert compared(720) is Comparison.NOT_BETTER
    assert compared(950, letter="w") is Comparison.NOT_BETTER


def test_a_target_that_serves_no_more_has_its_last_windows() -> None:
    """Those of the thirty days before it was replaced; nothing of later counts for it."""
    until = T0 - HOUR_MILLIS
    replaced = replace(SERVES, serves=False, served_until=until)
    shown = Shown().accuracy("2", WORSE, 700)
    assert _target(shown.inputs("1", CALM, end=until + 1), replaced).seen is None
    assert _target(shown.inputs("1", CALM, end=until - 31 * DAY_MILLIS), replaced).seen is None
    shown.inputs("1", CALM, end=until - DAY_MILLIS).accuracy("1", FINE, 950, end=until - DAY_MILLIS)
    target = _target(shown, replaced)
    assert target.seen is not None
    assert (target.seen.end, target.quality) == (until - DAY_MILLIS, Comparison.BETTER)


def test_a_target_with_any_finding_of_the_shifted_column_shows_it_too() -> None:
    """A warning is enough to say that it is not the version alone; another column's is not."""
    for letter, column, expected in (("c", "income", False), ("w", "score", True)):
        shown = Shown().inputs("2", CRITICAL).inputs("1", window_result((letter, column)))
        assert _target(shown).shows_it is expected


def _target(shown: Shown, service: PastService = SERVES) -> TargetEvidence:
    (target,) = shown.evidence(quality_open=True, service=service).targets
    return target


def test_decisions_are_the_labels_of_the_windows_that_show_the_shift() -> None:
    """The share of each label is as before, or is not, or is not counted."""

    def labelled(psi: float | None) -> WindowResult:
        column = ColumnResult(name=LABEL_COLUMN, n=1000, psi=psi)
        return WindowResult(
            verdict=CRITICAL.verdict,
            events=CRITICAL.events,
            columns=(column,),
            findings=CRITICAL.findings,
            calm_below=CRITICAL.calm_below,
        )

    def decisions(result: WindowResult) -> Decisions:
        return Shown().inputs("2", result).evidence().decisions

    assert decisions(labelled(0.01)) is Decisions.SAME
    assert decisions(labelled(0.09)) is Decisions.CHANGED
    assert decisions(labelled(None)) is Decisions.UNKNOWN
    assert decisions(CRITICAL) is Decisions.UNKNOWN
    assert decisions(window_result(("c", "score"), ("w", "label"))) is Decisions.CHANGED

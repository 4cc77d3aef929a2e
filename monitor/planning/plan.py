"""The whole plan of one spec at one traffic."""

from monitor.detection import PreparedReference, prepare_reference
from monitor.detection.drift_rule import tier_levels
from monitor.errors import SpecError
from monitor.performance.false_warnings import expected_false_warnings_a_year
from monitor.planning.advice import advice_of
from monitor.planning.advice_context import AdviceContext, psi_of_shift
from monitor.planning.column_comparison import ColumnComparison, comparisons_at
from monitor.planning.false_alarms import false_alarms
from monitor.planning.power import LEVELS, by_proof, first_detection, scale_plan_of, typical_of
from monitor.planning.results import Detected, Plan, ShiftPlan, Traffic
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec, Task

SIGMAS = (0.3, 0.5, 0.7, 1.0)


def plan_of(spec: ModelSpec, profile: ReferenceProfile, *, traffic: Traffic) -> Plan:
    """Return what *spec* will see of a version with this *traffic*, compared with *profile*.

    Under ``rule: textbook`` it is the plan of the default rule all the same, for that one has a power to plan; what
    the textbook rule itself alarms is in `FalseAlarms.textbook`.

    Raises:
        SpecError: No judged column has a reference: there is nothing to plan.
        BinMismatchError: The profile's bins do not fit its cells.
    """
    prepared = prepare_reference(spec, profile)
    if not comparisons_at(prepared, spec.scales[0]):
        raise SpecError(str(spec.key), ("columns: expected one to judge that has values in the reference, found none",))
    pace = traffic.events_per_minute
    scales = tuple(scale_plan_of(prepared, scale, events_per_minute=pace) for scale in spec.scales)
    concluding = [scale for scale, plan in zip(spec.scales, scales, strict=True) if plan.concludes]
    alarms = false_alarms(
        prepared, scales=concluding, events_per_minute=pace, accuracy_a_year=_false_accuracy_a_year(spec, profile)
    )
    typical, worst = [], []
    for scale in concluding:
        ranked = by_proof(prepared, comparisons_at(prepared, scale), events=scale.length * pace)
        typical.append(typical_of(prepared, ranked, events=scale.length * pace))
        worst.append(ranked[0])
    situation = AdviceContext(
        spec=spec, profile=profile, prepared=prepared, traffic=traffic, scales=scales, false_alarms=alarms
    )
    return Plan(
        model=str(spec.key),
        rule=spec.drift.rule,
        traffic=traffic,
        alpha=spec.drift.alpha,
        alpha_of_one_test=prepared.alpha,
        alpha_of_unseen=prepared.unseen_alpha,
        columns=len(scales[0].columns),
        tests=prepared.family.tests,
        segments=prepared.family.segments,
        min_events=prepared.min_events,
        false_alarms=alarms,
        scales=scales,
        shifts=tuple(
            ShiftPlan(
                sigmas=sigmas,
                psi=psi_of_shift(sigmas),
                typical=_detected(prepared, typical, sigmas=sigmas, pace=pace),
                worst=_detected(prepared, worst, sigmas=sigmas, pace=pace),
            )
            for sigmas in SIGMAS
        ),
        advice=advice_of(situation),
    )


def _false_accuracy_a_year(spec: ModelSpec, profile: ReferenceProfile) -> float:
    """Return how many false warnings of accuracy one version may have; without a reference's truths nothing drops."""
    if spec.task is Task.REGRESSION:
        return 0.0
    accuracy = spec.accuracy if profile.labelled else spec.accuracy.model_copy(update={"drop": None})
    return expected_false_warnings_a_year(accuracy, spec.scales)


def _detected(
    prepared: PreparedReference, comparisons: list[ColumnComparison], *, sigmas: float, pace: float
) -> tuple[Detected, ...]:
    tiers = dict(tier_levels(prepared.drift.tiers))
    judged = [
        comparison
        for comparison in comparisons
        if comparison.values(comparison.scale.length * pace) >= prepared.min_events
    ]
    detected = []
    for level in LEVELS:
        delay = first_detection(judged, sigmas=sigmas, level=level, tier=tiers[level], events_per_minute=pace)
        detected.append(
            Detected(
                tier=level.word,
                minutes=None if delay is None else delay.minutes,
                scale=None if delay is None else str(delay.scale),
            )
        )
    return tuple(detected)

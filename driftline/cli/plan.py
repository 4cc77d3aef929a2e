"""`driftline plan`: what a spec can see before any event."""

from typing import Annotated

import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import SpecFile, read_reference, read_spec_text
from driftline.cli.output import AsJson, print_json, print_line, print_table, print_wrapped
from monitor.humanize import duration, rate
from monitor.planning import Traffic, plan_of, reference_traffic
from monitor.planning.results import MONTHS_A_YEAR, Detected, EventsNeeded, Plan, ScalePlan
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.spec.model import DriftRule
from monitor.types import Calibration


def print_plan(plan: Plan) -> None:
    """Print *plan*: what comes in, false alarms, each scale, events needed, time to notice, advice."""
    traffic = plan.traffic
    print_line(
        f"{plan.model}: {traffic.events_per_minute:,.4g} events a minute ({traffic.source}), taken as even all day."
    )
    if plan.rule is DriftRule.TEXTBOOK:
        print_line("The spec says `rule: textbook`; apart from its false alarms this is the plan of the default rule.")
    _print_false_alarms(plan)
    _print_scales(plan)
    _print_needed(plan)
    _print_shifts(plan)
    print_line()
    print_line("What to change" if plan.advice else "What to change: nothing.")
    for advice in plan.advice:
        sentence = f"{advice.about}: {advice.problem}. Then: {advice.remedy}."
        print_wrapped(sentence, initial_indent="  - ", subsequent_indent="    ")


def _print_false_alarms(plan: Plan) -> None:
    alarms = plan.false_alarms
    print_table(
        f"False alarms: windows of one version, of {alarms.evaluations:,} that are judged in 30 days",
        ("when", "in 30 days", "in a year"),
        [
            _expected("nothing changes, the columns move as in the reference", alarms.no_change),
            *(
                (
                    _expected("accuracy is what it was", alarms.accuracy, "at most "),
                    _expected("together: drift, shares and accuracy", alarms.quiet, "at most "),
                )
                if alarms.accuracy
                else ()
            ),
            _expected("every test of every column sits exactly at its tier", alarms.at_the_boundary, "at most "),
            _expected("textbook rule, nothing changes or moves at all", alarms.textbook),
        ],
        notes=(_unmeasured(plan), _what_alpha_means(plan)),
        empty="no scale concludes, so none",
    )


def _expected(when: str, in_month: float, bound: str = "") -> tuple[str, str, str]:
    return (when, f"{bound}{rate(in_month)}", f"{bound}{rate(in_month * MONTHS_A_YEAR)}")


def _unmeasured(plan: Plan) -> str:
    judging = [scale for scale in plan.scales if scale.concludes]
    if all(
        column.status is Calibration.MEASURED
        for scale_plan in judging
        for column in scale_plan.columns
        if column.concludes
    ):
        return ""
    return (
        "As far as the reference shows it: below, a movement that is not `measured` may be larger than it is taken for."
    )


def _what_alpha_means(plan: Plan) -> str:
    shared = f"{plan.tests} tests of {plan.columns} columns, {len(plan.scales)} scales and {plan.segments} series"
    unseen = f" ({plan.alpha_of_unseen:.2g} one for unseen values)" if plan.alpha_of_unseen else ""
    return (
        f"Alpha {plan.alpha:g} speaks of this alone: per evaluation time, shared by {shared},"
        f" {plan.alpha_of_one_test:.2g} a test{unseen}. Windows overlap, so they come in bursts; without overlap it is"
        f" {rate(plan.false_alarms.at_the_boundary_disjoint)}. That both halves must agree makes all of it fewer."
    )


def _print_scales(plan: Plan) -> None:
    rows, notes = [], []
    for scale in plan.scales:
        for name in dict.fromkeys((scale.typical, scale.worst)):
            column = scale.column(name)
            rows.append(
                (
                    scale.scale,
                    f"{scale.events:,.0f}",
                    "yes" if scale.concludes else f"never: under {plan.min_events:,}",
                    f"{'worst' if name == scale.worst else 'typical'} `{name}`",
                    f"{column.kappa:.2g}",
                    f"{column.nu:.1f}",
                    f"×{column.overdispersion:.1f}",
                    column.status,
                    "never" if column.proven_from is None else f"{column.proven_from:.2f}",
                )
            )
            notes.append("")
    print_table(
        "Scales: a warning is proven from which observed PSI on",
        ("scale", "events", "concludes", "column", "kappa", "nu", "overdispersion", "movement", "PSI from"),
        rows,
        empty="none",
    )


def _print_needed(plan: Plan) -> None:
    first = plan.scales[0].needed
    levels = {need.psi for need in first}
    for tier in dict.fromkeys(need.tier for need in first):
        print_table(
            f"Events in a window for {tier}, by the typical column's true PSI (90 %; ✓: this traffic has them)",
            ("scale", "events", *(f"PSI {psi:g}" for psi in sorted(levels))),
            [(scale.scale, f"{scale.events:,.0f}", *_needed_cells(scale, tier)) for scale in plan.scales],
            empty="none",
        )


def _needed_cells(scale: ScalePlan, tier: str) -> list[str]:
    def cell(needed: EventsNeeded) -> str:
        if needed.events is None:
            return "never"
        return f"{needed.events:,}{' ✓' if needed.events <= scale.events else '  '}"

    return [cell(need) for need in scale.needed if need.tier == tier]


def _print_shifts(plan: Plan) -> None:
    tiers = [column.tier for column in plan.shifts[0].typical]
    print_table(
        "Time to detect a sudden shift of a column's mean (90 %, by the scale that is first)",
        ("shift", "PSI", "column", *tiers),
        [
            (f"{shift.sigmas:g} sigma", f"{shift.psi:.2f}", which, *map(_moment, detected))
            for shift in plan.shifts
            for which, detected in (("typical", shift.typical), ("worst", shift.worst))
        ],
        empty="none",
    )


def _moment(detected: Detected) -> str:
    return "never" if detected.minutes is None else f"{duration(detected.minutes)} ({detected.scale})"


def plan(
    spec: SpecFile,
    events_per_minute: Annotated[
        float | None,
        typer.Option(help="Predictions of one version that come in, on average; default as in the reference."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a spec will see: false alarms a month, events needed, detection delay, and what to change.

    Reads the spec and its reference profile; no server is asked and nothing is stored. The figures are computed with
    the thresholds of the rule itself: 90 % is the probability with which a change is found.

    Exit code 2: spec or profile are not usable, or the traffic is not known.
    """
    parsed = parse_spec(read_spec_text(spec), source=str(spec))
    profile = read_reference(spec, parsed)
    planned = plan_of(parsed, profile, traffic=_traffic(profile, events_per_minute))
    if as_json:
        print_json(planned)
    else:
        print_plan(planned)


def _traffic(profile: ReferenceProfile, events_per_minute: float | None) -> Traffic:
    if events_per_minute is None:
        traffic = reference_traffic(profile)
        if traffic is None:
            raise WrongUseError(
                "traffic: expected time stamps in the reference to take it from, found none; say how many predictions"
                " one version makes with --events-per-minute"
            )
        return traffic
    if not events_per_minute > 0:
        raise WrongUseError(f"--events-per-minute: expected more than 0, found {events_per_minute:g}")
    return Traffic(events_per_minute=events_per_minute, source="--events-per-minute")

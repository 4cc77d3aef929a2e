"""Tables by the planner: events that a window needs, false alarms of a model, delays of detection."""

from scipy.special import ndtr

from benchmarks.figure_table import table
from benchmarks.planned_model import ONE_TEST, ROWS, column, planned
from benchmarks.statistics_tables.rounding import decimal, percent, rate, two_digits
from monitor.detection.drift_rule import tier_levels
from monitor.planning.advice_context import BINS, psi_of_shift
from monitor.planning.column_comparison import ColumnComparison
from monitor.planning.power import LEVELS, MOST_VALUES, POWER, TRUE_PSI, values_needed
from monitor.planning.results import MONTHS_A_YEAR, Detected
from monitor.spec.model import DriftSpec, WindowSpec
from monitor.types import Tier


def shifts() -> str:
    """What a shift of a normal column's mean is on both scales."""
    return table(
        ("Shift of the mean", f"PSI, {BINS} bins", "KS distance"),
        [
            (f"{sigmas:.1f} standard deviations", f"{psi_of_shift(sigmas):.3f}", f"{2 * ndtr(sigmas / 2) - 1:.2f}")
            for sigmas in (0.1, 0.3, 0.5, 0.7, 1.0)
        ],
    )


def traffic() -> str:
    """Events that a window needs, for each tier and true PSI."""
    levels = dict(tier_levels(DriftSpec().tiers))
    return table(
        (f"{percent(POWER)} of windows reach", *(f"true PSI {psi:g}" for psi in TRUE_PSI)),
        [
            (f"{level.word} ({levels[level]:g})", *(_events(column(), psi, level) for psi in TRUE_PSI))
            for level in LEVELS
        ],
        note=f"{ROWS:,} rows of reference, no natural movement, {decimal(ONE_TEST)} of alpha left for one test; an"
        " alert needs two windows.",
    )


def movement() -> str:
    """What natural movement costs."""
    rows = []
    for kappa in (0.0, 0.0001, 0.0005, 0.001, 0.005, 0.02):
        moving = column(kappa=kappa)
        reached = [_events(moving, psi, Tier.WARNING) for psi in TRUE_PSI[1:]]
        rows.append(
            (f"{kappa:g}", *reached, f"{moving.threshold_of_shift(DriftSpec().tiers.warning, MOST_VALUES):.2f}")
        )
    return table(
        ("kappa", *(f"warning at true PSI {psi:g}" for psi in TRUE_PSI[1:]), "proven from, whatever the traffic"), rows
    )


def rows_of_reference() -> str:
    """What a small reference costs."""
    return table(
        (
            "Rows of reference",
            *(f"warning at true PSI {psi:g}" for psi in TRUE_PSI),
            f"alert at PSI {psi_of_shift(0.5):.3f} (0.5 standard deviations)",
        ),
        [
            (
                f"{rows:,}",
                *(_events(column(rows=rows), psi, Tier.WARNING) for psi in TRUE_PSI),
                _events(column(rows=rows), psi_of_shift(0.5), Tier.ALERT),
            )
            for rows in (500, 2_000, 20_000, 200_000)
        ],
    )


def alpha() -> str:
    """What alpha costs and gives."""
    rows = []
    for chosen in (0.01, 0.001, 0.0001, 0.00001):
        plan = planned(100.0, alpha=chosen)
        one = column(alpha=plan.alpha_of_one_test)
        events = [_events(one, psi, Tier.WARNING) for psi in (0.2, 0.3, 0.5)]
        alarms = plan.false_alarms
        rows.append((f"{chosen:.6f}".rstrip("0"), *events, two_digits(alarms.at_the_boundary), rate(alarms.no_change)))
    return table(
        (
            "`drift.alpha`",
            "events for a warning at PSI 0.2",
            "at 0.3",
            "at 0.5",
            "false windows a month, all at the tier",
            "nothing changes",
        ),
        rows,
    )


def alarms() -> str:
    """False alarms of the model by the default and by the textbook rule."""
    rows = []
    for pace in (3.0, 100.0):
        alarms = planned(pace).false_alarms
        rows.append(
            (
                f"{pace:g} events a minute",
                f"{alarms.evaluations:,}",
                rate(alarms.no_change * MONTHS_A_YEAR),
                f"at most {two_digits(alarms.at_the_boundary)}",
                f"{two_digits(alarms.textbook)} ({100 * alarms.textbook / alarms.evaluations:.0f} %)",
            )
        )
    headings = (
        "",
        "windows a month",
        "of them false in a year, nothing changes",
        "in a month, all at the tier",
        "textbook rule in a month, nothing changes",
    )
    return table(headings, rows)


def detection_delays() -> str:
    """By when a sudden shift is detected."""
    rows = []
    for pace in (3.0, 100.0):
        for shift in planned(pace).shifts:
            rows.append((f"{pace:g} a minute", f"{shift.sigmas:.1f} standard deviations", *map(_when, shift.typical)))
    return table(("Traffic", "Shift", *(level.word for level in LEVELS)), rows)


def _events(comparison: ColumnComparison, psi: float, level: Tier) -> str:
    tier = dict(tier_levels(DriftSpec().tiers))[level]
    result = values_needed(comparison, psi=psi, level=level, tier=tier)
    return "never" if result is None else two_digits(max(result, WindowSpec().min_events))


def _when(detected: Detected) -> str:
    if detected.minutes is None:
        return "never"
    if detected.minutes < 100:
        return f"{detected.minutes:.0f} min ({detected.scale})"
    if detected.minutes < 2 * 1440:
        return f"{detected.minutes / 60:.1f} h ({detected.scale})"
    return f"{detected.minutes / 1440:.1f} days ({detected.scale})"

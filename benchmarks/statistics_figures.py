"""The figures of docs/statistics.md: `python -m benchmarks.statistics_figures`, `--write` puts them into the page.

Each block of the page between `<!-- figures: NAME -->` and `<!-- end -->` is one function's answer; a test compares
them, so that the page cannot say what the code does not.
"""

import argparse
import math
import re
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

from scipy.special import ndtr

from benchmarks.accuracy_figures import (
    STEP_TRUTHS,
    WINDOW_STEPS,
    dependence_note,
    dependence_rows,
    truths_until_proven,
)
from benchmarks.closing_figures import COLUMNS, windows_until_closed
from benchmarks.figure_table import table
from benchmarks.movement_figures import DAYS, DAYS_OF_MEMORY, HOURS, WANDERS, Wander, passing, passing_when_known
from benchmarks.moving_share_levels import moving_share_levels
from benchmarks.planned_model import ONE_TEST, ROWS, column, planned
from benchmarks.psi_levels import psi_level_rows
from benchmarks.share_levels import N, share_level_rows
from monitor.detection.drift_rule import tier_levels
from monitor.detection.quality_rule import (
    FAR_MINIMUM,
    HELD_SHARE,
    STUCK_SHARE,
    UNSEEN_CRITICAL,
    UNSEEN_WARNING,
)
from monitor.planning.advice_context import BINS, psi_of_shift
from monitor.planning.column_comparison import ColumnComparison
from monitor.planning.power import LEVELS, MOST_VALUES, POWER, TRUE_PSI, values_needed
from monitor.planning.results import MONTHS_A_YEAR, Detected
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.spec.model import DriftSpec, WindowSpec
from monitor.stats.share_shift import MINIMUM, RELATIVE
from monitor.types import Tier
from monitor.units import duration_text

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
CHANGED = (1, 20, 100, 200)
_BLOCK = re.compile(r"(<!-- figures: ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def defaults() -> str:
    """What a spec says when it says nothing, and what is fixed."""
    drift, windows = DriftSpec(), WindowSpec()
    tiers = ", ".join(f"{tier.word} {psi:g}" for tier, psi in reversed(tier_levels(drift.tiers)))
    drops = ", ".join(f"{tier.word} {drop:g}" for tier, drop in DropSpec().tiers)
    scales = ", ".join(f"{duration_text(scale.length)}/{duration_text(scale.step)}" for scale in windows.scales)
    return table(
        ("", "Default", "Set by"),
        [
            ("error probability, per model and evaluation time", f"{drift.alpha:g}", "`drift.alpha`"),
            ("PSI that must be proven", tiers, "`drift.tiers`"),
            ("KS distance that is a warning by itself", f"{drift.ks_warning:g}", "`drift.ks_warning`"),
            ("accuracy proven to be lower than the reference's by", drops, "`accuracy.drop`"),
            (
                "false warnings of accuracy a model and year, at most",
                f"{AccuracySpec().false_alarms_per_year:g}",
                "`accuracy.false_alarms_per_year`",
            ),
            ("an incident closes below this share of its tier", f"{drift.close_ratio:g}", "`drift.close_ratio`"),
            ("windows, as length/step", scales, "`windows.scales`"),
            ("fewer values of a column are inconclusive", f"{windows.min_events}", "`windows.min_events`"),
            (
                "missing and invalid shares may differ by",
                f"{_percent(MINIMUM)} or {RELATIVE:g} of the share, the larger",
                "fixed",
            ),
            ("share far outside the range may differ by", f"{_percent(FAR_MINIMUM)} or {RELATIVE:g} of it", "fixed"),
            (
                "values that the reference never had",
                f"warning {_percent(UNSEEN_WARNING)}, critical {_percent(UNSEEN_CRITICAL)}",
                "fixed",
            ),
            (
                "a column is stuck when one value holds",
                f"{_percent(STUCK_SHARE)} of the second half, under {_percent(HELD_SHARE)} of the reference",
                "fixed",
            ),
        ],
    )


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
        (f"{_percent(POWER)} of windows reach", *(f"true PSI {psi:g}" for psi in TRUE_PSI)),
        [
            (f"{level.word} ({levels[level]:g})", *(_events(column(), psi, level) for psi in TRUE_PSI))
            for level in LEVELS
        ],
        note=f"{ROWS:,} rows of reference, no natural movement, {_decimal(ONE_TEST)} of alpha left for one test; an"
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


def few_blocks() -> str:
    """How often natural movement alone passes its level, and what the level is."""
    rows = []
    for name, wander in WANDERS:
        for blocks in HOURS if wander.memory > DAYS_OF_MEMORY else DAYS:
            results = [passing(wander, blocks=blocks, alpha=alpha) for alpha in (1e-4, 1e-5)]
            rows.append(
                (
                    name,
                    str(blocks),
                    *(f"{_times(result.known)} → {_times(result.estimated)}" for result in results),
                    f"{_times(results[1].known_multiple)} → {_times(results[1].multiple)}",
                )
            )
    return table(
        ("Column", "blocks", "rate at 0.0001", "rate at 0.00001", "level at 0.00001, in mean block PSIs"),
        rows,
        note="Left of the arrow kappa and its degrees of freedom are used as if they were known, right of it as\n"
        "estimates. Rates are in multiples of the nominal one.",
    )


def known_movement() -> str:
    """How often sampling and a movement that is known pass their level."""
    header = ("10 bins, 0.0001", "10 bins, 0.000001", "30 bins, 0.0001", "30 bins, 0.000001")
    rows = []
    for share, directions in product((0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8), (1, 4)):
        wanders = [Wander(bins=bins, movement=share, directions=directions) for bins in (10, 30)]
        rates = [_two_digits(passing_when_known(wander, alpha=alpha)) for wander in wanders for alpha in (1e-4, 1e-6)]
        rows.append((_percent(share), str(directions), *rates))
    return table(("Movement", "directions", *header), rows)


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
        rows.append(
            (f"{chosen:.6f}".rstrip("0"), *events, _two_digits(alarms.at_the_boundary), _rate(alarms.no_change))
        )
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
                _rate(alarms.no_change * MONTHS_A_YEAR),
                f"at most {_two_digits(alarms.at_the_boundary)}",
                f"{_two_digits(alarms.textbook)} ({100 * alarms.textbook / alarms.evaluations:.0f} %)",
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


@cache
def accuracy() -> str:
    """How many truths a fall of accuracy takes."""
    falls = (0.1, 0.15, 0.2, 0.3)
    rows = []
    for before, truths in ((0.9, 1000), (0.9, 10_000), (0.9, 1_000_000), (0.7, 10_000)):
        waits = (truths_until_proven(1.0 - before, 1.0 - before + fall, reference_truths=truths) for fall in falls)
        proven = ("not in these windows" if wait == math.inf else f"{wait:,.0f}" for wait in waits)
        rows.append((f"{before:g}", f"{truths:,}", *proven))
    return table(
        ("Accuracy before", "truths in the reference", *(f"down by {fall:g}" for fall in falls)),
        rows,
        note=f"Median truths after the change; windows of {WINDOW_STEPS} steps with {STEP_TRUTHS} truths each, the "
        "default warning and confidence.",
    )


@cache
def share_levels() -> str:
    """How often a share exactly at its tolerance is proven to be past it."""
    return table(
        ("Share of the reference", "of rows", *(f"n = {n:,}" for n in N)),
        share_level_rows(),
        note="Multiples of alpha (0.00001 for one test), the larger of a rise and a fall.",
    )


@cache
def psi_levels() -> str:
    """How often an index exactly at its tier is proven to be past it."""
    return table(
        ("Column", "bins", *(f"n = {n:,}" for n in N)),
        psi_level_rows(),
        note="Multiples of alpha (0.00001 for one test) at the worst of the default tiers, 20,000 rows of reference.\n"
        "Left of the arrow by the index alone, right of it by both bounds.",
    )


@cache
def dependent_truths() -> str:
    """How rarely a fall is proven that is none, when truths depend on each other."""
    return table(
        ("Truths", "usual errors", "counted", "at the line, all counted", "at the line", "nothing changed"),
        dependence_rows(),
        note=dependence_note(),
    )


def closing() -> str:
    """How long an incident stays open after its change has ended."""
    return table(
        ("Events a window", "Natural movement", *(f"{changed} changed" for changed in CHANGED)),
        [
            (
                f"{events:,}",
                "none" if overdispersion == 1.0 else f"×{overdispersion:g}",
                *(f"{windows_until_closed(events, overdispersion, changed):.1f}" for changed in CHANGED),
            )
            for events in (200, 300, 400, 6000)
            for overdispersion in (1.0, 3.0, 30.0)
        ],
        note=f"Median from the end of the change, in lengths of the window that held the incident; of {COLUMNS} columns"
        " so many moved by one standard deviation. How many others there are changes nothing.",
    )


FIGURES: dict[str, Callable[[], str]] = {
    "defaults": defaults,
    "shifts": shifts,
    "traffic": traffic,
    "movement": movement,
    "few blocks": few_blocks,
    "known movement": known_movement,
    "reference": rows_of_reference,
    "alpha": alpha,
    "alarms": alarms,
    "notice": detection_delays,
    "accuracy": accuracy,
    "share_levels": share_levels,
    "moving_share_levels": moving_share_levels,
    "psi_levels": psi_levels,
    "dependent": dependent_truths,
    "closing": closing,
}


def with_figures(page: str) -> str:
    """Return *page* with every block as the code answers now.

    Raises:
        KeyError: A block has a name that is no figure's.
    """
    return _BLOCK.sub(lambda block: f"{block[1]}\n{FIGURES[block[2]]()}\n\n{block[3]}", page)


def blocks_of(page: str) -> tuple[str, ...]:
    """Return the names of the page's blocks, in order."""
    return tuple(name for _, name, _ in _BLOCK.findall(page))


def main() -> None:
    """Print every figure, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put them into {PAGE.name} instead of printing them")
    if parser.parse_args().write:
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, figure in FIGURES.items():
        print(f"{name}: {figure.__doc__}\n\n{figure()}\n")


def _events(comparison: ColumnComparison, psi: float, level: Tier) -> str:
    tier = dict(tier_levels(DriftSpec().tiers))[level]
    result = values_needed(comparison, psi=psi, level=level, tier=tier)
    return "never" if result is None else _two_digits(max(result, WindowSpec().min_events))


def _two_digits(value: float) -> str:
    """Return *value* as it is remembered; the last digits of a bisection are nobody's business."""
    return f"{float(f'{value:.2g}'):,.4g}" if value < 100 else f"{int(float(f'{value:.2g}')):,}"


def _times(value: float) -> str:
    if value >= 100_000:
        return "never passed"
    return "under 0.1" if value < 0.1 else _two_digits(value)


def _rate(value: float) -> str:
    return "under 0.001" if value < 0.001 else _two_digits(value)


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0")


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _when(detected: Detected) -> str:
    if detected.minutes is None:
        return "never"
    if detected.minutes < 100:
        return f"{detected.minutes:.0f} min ({detected.scale})"
    if detected.minutes < 2 * 1440:
        return f"{detected.minutes / 60:.1f} h ({detected.scale})"
    return f"{detected.minutes / 1440:.1f} days ({detected.scale})"


if __name__ == "__main__":
    main()

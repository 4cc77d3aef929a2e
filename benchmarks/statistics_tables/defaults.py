"""The table of defaults: what a spec says when it says nothing, and what is fixed."""

from benchmarks.figure_table import table
from benchmarks.statistics_tables.rounding import percent
from monitor.detection.drift_rule import tier_levels
from monitor.detection.quality_rule import (
    FAR_MINIMUM,
    HELD_SHARE,
    STUCK_SHARE,
    UNSEEN_CRITICAL,
    UNSEEN_WARNING,
)
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.spec.model import DriftSpec, WindowSpec
from monitor.stats.share_shift import MINIMUM, RELATIVE
from monitor.units import duration_text


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
                f"{percent(MINIMUM)} or {RELATIVE:g} of the share, the larger",
                "fixed",
            ),
            ("share far outside the range may differ by", f"{percent(FAR_MINIMUM)} or {RELATIVE:g} of it", "fixed"),
            (
                "values that the reference never had",
                f"warning {percent(UNSEEN_WARNING)}, critical {percent(UNSEEN_CRITICAL)}",
                "fixed",
            ),
            (
                "a column is stuck when one value holds",
                f"{percent(STUCK_SHARE)} of the second half, under {percent(HELD_SHARE)} of the reference",
                "fixed",
            ),
        ],
    )

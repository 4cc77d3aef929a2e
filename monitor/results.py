"""What one closed window says: numbers per column, findings, a verdict, and the sentence built from them."""

import msgspec

from monitor.humanize import index_text
from monitor.types import Calibration, IncidentKind, InconclusiveReason, Statistic, Tier, Verdict


class FurtherStatistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers that the spec asked for beyond PSI and KS, on the reference's bins; None: not asked, or not measured.

    Attributes:
        jensen_shannon: The distance, √ of the divergence in nats.
        kullback_leibler: From the reference to the window, in nats, ½ added to every bin.
        hellinger, total_variation, l_infinity: Distances between 0 and 1.
        chi_squared, chi_squared_freedom, chi_squared_p: Statistic, degrees of freedom and p-value of Pearson's test.
        wasserstein: Of numeric columns: between the reference's 1st and 99th percentile, in its interquartile ranges.
    """

    jensen_shannon: float | None = None
    kullback_leibler: float | None = None
    hellinger: float | None = None
    total_variation: float | None = None
    l_infinity: float | None = None
    chi_squared: float | None = None
    chi_squared_freedom: int | None = None
    chi_squared_p: float | None = None
    wasserstein: float | None = None


class ColumnResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers of one column in one window; None is "not measured".

    Attributes:
        n: Values that PSI and KS saw (without missing, invalid and unseen).
        psi, psi_low: PSI on the reference's bins, and its proven lower bound (None until it passed a tier).
        ks, ks_bound: KS distance D on the cells; D <= true D <= D + bound.
        phi: Natural movement, 1 + kappa / (1/n + 1/m).
        calibration: Where the natural movement was not measured at this length; None: it was, or nothing was judged.
        missing, invalid, unseen: Shares of all events.
        further: What the spec asked for besides; None when it asked for nothing.
        inconclusive: Why nothing can be said: too few events, or no reference.
    """

    name: str
    n: int
    psi: float | None = None
    psi_low: float | None = None
    ks: float | None = None
    ks_bound: float | None = None
    phi: float | None = None
    calibration: Calibration | None = None
    missing: float = 0.0
    invalid: float = 0.0
    unseen: float = 0.0
    further: FurtherStatistics | None = None
    inconclusive: InconclusiveReason = InconclusiveReason.CONCLUSIVE


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something proven about one column (or, for performance, about the model) in one window.

    Attributes:
        kind: The incident it belongs to.
        tier: The tier that is proven.
        endured: Both halves (and, for alert and critical, the previous disjoint window) agree; only these count.
        value, bound, threshold: The statistic, its proven bound, and what the bound passed.
        since: Epoch milliseconds from which on it is proven, where the proof knows that; it began there or later.
        sentence: For people, built from stored numbers.
    """

    kind: IncidentKind
    column: str
    statistic: Statistic
    tier: Tier
    endured: bool
    value: float
    bound: float
    threshold: float
    role: str = "feature"
    importance: float | None = None
    since: int | None = None
    sentence: str = ""


class RestlessColumn(msgspec.Struct, frozen=True, array_like=True):
    """A column that holds an incident of drift open: what `monitor.detection.closing` says of it.

    Attributes:
        tier: The highest tier that it is not calm below; NONE: its natural movement explains its size.
        size: The same of its size alone, never lower: a shorter window may be as large by chance and show no recovery.
    """

    column: str
    tier: Tier
    size: Tier


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """The decision about one series and window.

    Attributes:
        verdict: Worst endured finding's tier; INCONCLUSIVE when nothing was measured.
        events: Events counted in the window.
        calm_below: For each tier that drift (or, of a performance window, performance) can hold open: True when every
            column's PSI and D, or the accuracy itself, is past the closing threshold; None when inconclusive.
        restless: Columns that are not; None when inconclusive, of accuracy, and where the program before wrote it.
        moved: Columns to list once drift is found, most certain first: see `monitor.detection.verdict`.
        quality_calm: No share finding at all, endured or not; None when inconclusive.
    """

    verdict: Verdict
    events: int
    columns: tuple[ColumnResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    moved: tuple[str, ...] = ()
    calm_below: tuple[bool, bool, bool] | None = None
    restless: tuple[RestlessColumn, ...] | None = None
    quality_calm: bool | None = None
    reason: InconclusiveReason = InconclusiveReason.CONCLUSIVE
    sentence: str = ""

    def of_kind(self, kind: IncidentKind) -> tuple[Finding, ...]:
        """Return the endured findings of *kind*."""
        return tuple(finding for finding in self.findings if finding.kind is kind and finding.endured)


def nothing_moved_sentence(largest: str, *, psi: float, events: int) -> str:
    """Return the sentence of a calm window, which names the column of the *largest* PSI; nearly all windows have it."""
    return f"nothing moved: largest PSI {index_text(psi)} (`{largest}`), {events:,} events."

"""Schema of a backtest's report in JSON."""

from enum import StrEnum

import msgspec

from alerting.incidents.state import Step
from monitor.spec.model import DriftRule
from monitor.types import ActionKind, InconclusiveReason

FORMAT = 1


class AccuracyPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of one window, and its interval."""

    end: str
    accuracy: float
    low: float
    high: float


class AccuracyPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the truths showed.

    Attributes:
        labelled, correct, accuracy: Over all predictions that met their truth.
        reference_accuracy: None where the reference has no truths.
        drop: By the tiers that it can reach; None: a drop is no finding.
        windows: Mature windows by scale.
        scale, points: The scale that the chart shows, and its last windows by bucket.
    """

    labelled: int
    correct: int
    accuracy: float | None
    reference_accuracy: float | None
    floor: float | None
    drop: dict[str, float] | None
    windows: dict[str, int]
    version: str
    scale: str
    points: tuple[AccuracyPoint, ...]


class PsiTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One column's PSI at one scale, the largest of the windows that ended in each bucket; None: none was judged."""

    column: str
    version: str
    scale: str
    psi: tuple[float | None, ...]
    proven: tuple[float | None, ...]


class ChartsPart(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers by bucket of time: *buckets* of *bucket_minutes* each, from *start* on."""

    start: str
    bucket_minutes: int
    buckets: int
    traffic: tuple[int, ...]
    psi: tuple[PsiTrack, ...]


class StepPart(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an incident.

    Attributes:
        at: When it would have been decided; *window_end*: end of the window that it was decided on.
        notified: People would have been notified; *page*: at tier alert or critical, and not of an improvement.
    """

    at: str
    window_end: str
    scale: str
    step: Step
    reason: str
    tier: str
    notified: bool
    page: bool
    sentence: str


class ActionOutcome(StrEnum):
    """What became of an action that an incident asked for."""

    ASKED = "asked"
    REFUSED = "refused"


class ActionPart(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident would have asked of another system.

    Attributes:
        reason: Of a closed list; *explanation* is for people.
    """

    incident: str
    at: str
    action: ActionKind
    outcome: ActionOutcome
    reason: str
    explanation: str
    from_version: str
    to_version: str | None


class IncidentPart(msgspec.Struct, frozen=True, kw_only=True):
    """One incident.

    Attributes:
        tier: The worst that it reached.
        opened, closed: Ends of windows; *closed* None: open when the history ended.
        open_hours: Hours in which it was open, without the breaks before it opened again.
        scale: The window length that opened it.
        columns: Those that it named, the one it was opened for first.
        sentence: Why, from the step at which it was worst.
        findings: One sentence for each column and statistic of that step, worst first.
    """

    id: str
    kind: str
    version: str
    tier: str
    opened: str
    closed: str | None
    open_hours: float
    reopened: int
    scale: str
    columns: tuple[str, ...]
    sentence: str
    findings: tuple[str, ...]
    steps: tuple[StepPart, ...]


class HistoryPart(msgspec.Struct, frozen=True, kw_only=True):
    """The history that was played.

    Attributes:
        source: Name of the file.
        first, last: Times of the first and the last prediction.
        events: Predictions that were counted; *duplicates* repeat an id and were not, as in ingest.
        truths: Truths that were known by the end.
    """

    source: str
    first: str
    last: str
    days: float
    events: int
    duplicates: int
    truths: int
    events_per_minute: float
    versions: tuple[str, ...]


class RulePart(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that windows were judged by, in the spec's own words."""

    rule: DriftRule
    alpha: float
    warning: float
    alert: float
    critical: float
    ks_warning: float
    min_events: int
    scales: tuple[str, ...]


class AlarmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents, their messages, and how long at least one was open.

    Attributes:
        pages: Messages of an incident that opened or rose at tier alert or critical; *warnings*: at tier warning.
    """

    incidents: int
    pages: int
    pages_per_week: float
    warnings: int
    warnings_per_week: float
    open_hours: float
    open_share: float


class SummaryPart(AlarmFigures, frozen=True, kw_only=True):
    """What the spec would have raised, over all kinds of incidents.

    Attributes:
        follow_ups: Messages that something calmed down or ended.
        open_at_end: Incidents that were open when the history ended.
    """

    follow_ups: int
    incidents_per_week: float
    open_at_end: int


class RuleFigures(AlarmFigures, frozen=True, kw_only=True):
    """One rule on the same windows of inputs, by the same incident code; accuracy is not part of it.

    Attributes:
        windows: Those that could be judged; *alarming*: of them those with a warning or worse.
        runs: Stretches of alarming windows, scale by scale: the messages of a monitor without incidents.
        columns: Those that most alarming windows name, most first.
    """

    rule: DriftRule
    windows: int
    alarming: int
    alarming_share: float
    runs: int
    runs_per_week: float
    columns: tuple[str, ...]


class ColumnPart(msgspec.Struct, frozen=True, kw_only=True):
    """One column that some rule named.

    Attributes:
        incidents: How many name it; *led*: how many were opened for it.
        windows: Alarming windows that name it, by the spec's rule and by the textbook's.
        tier: The worst.
        proven_psi: The largest lower bound that any window proved, 0 where none did; *psi*: the PSI there, or the
            largest, at *psi_scale*; None where none was measured.
    """

    name: str
    incidents: int
    led: int
    windows: int
    textbook_windows: int
    tier: str
    psi: float | None
    proven_psi: float
    psi_scale: str | None


class ScalePart(msgspec.Struct, frozen=True, kw_only=True):
    """Every window of one scale, over all versions.

    Attributes:
        inconclusive: Windows that could not be judged, by reason.
        first_judged: End of the first window that could be; None: the scale never said anything.
        typical_events: Median events of its windows.
        incidents: Incidents that it opened.
        strip: One letter for each bucket of the charts, the worst window whose last step touches it: ``.`` none,
            ``?`` inconclusive, ``o`` ok, ``w`` warning, ``a`` alert, ``c`` critical. *textbook_strip*: by that rule.
    """

    scale: str
    step: str
    windows: int
    judged: int
    warning: int
    alert: int
    critical: int
    inconclusive: dict[InconclusiveReason, int]
    first_judged: str | None
    typical_events: int
    incidents: int
    textbook_alarming: int
    strip: str
    textbook_strip: str


class SegmentPart(msgspec.Struct, frozen=True, kw_only=True):
    """The windows of one segment; shown, never part of an incident."""

    tag: str
    value: str
    windows: int
    judged: int
    alarming: int


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document of one backtest."""

    format: int = FORMAT
    driftline: str
    model: str
    namespace: str
    history: HistoryPart
    rule: RulePart
    summary: SummaryPart
    rules: tuple[RuleFigures, ...]
    incidents: tuple[IncidentPart, ...]
    actions: tuple[ActionPart, ...]
    columns: tuple[ColumnPart, ...]
    scales: tuple[ScalePart, ...]
    segments: tuple[SegmentPart, ...]
    accuracy: AccuracyPart | None
    notes: tuple[str, ...]
    charts: ChartsPart


def encode_report(report: BacktestReport) -> bytes:
    """Return the document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"

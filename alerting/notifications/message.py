"""The notification's body: one message per model and window end, built from stored numbers; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from alerting.actions.evidence import PREDICTION_ROLES
from alerting.incidents.state import IncidentDecision, IncidentState, Step
from monitor.clock import iso_utc
from monitor.deployments import Period
from monitor.detection.explanation import values_label
from monitor.humanize import duration
from monitor.results import Finding
from monitor.spec.actions import AlertingSpec
from monitor.stats.heavy_hitters import FrequentValues
from monitor.types import ActionState, IncidentKind, ModelKey, NoticeEvent, Statistic, Tier
from monitor.units import MINUTE_MILLIS

FINDINGS_SHOWN = 5
COLUMNS_NAMED = 10

EXPIRED, FAILED, UNANSWERED, REFUSED = (
    f"model.action.{word}" for word in ("expired", "failed", "unanswered", "refused")
)
UNDELIVERED = "model.delivery.failed"
_BY_HAND = "Nothing more is sent; please act by hand."
_WHY = {EXPIRED: "Why it expired", FAILED: "Why it failed", UNANSWERED: "Why its result is not known"}
_WANTED = {
    EXPIRED: _BY_HAND,
    FAILED: _BY_HAND,
    UNANSWERED: "It was sent and may have been done. Look there, then run `driftline actions ID result succeeded`, or "
    "`failed`: until it is known, no other one is asked for.",
    REFUSED: "Nothing is done by itself; please decide.",
}


class ModelName(msgspec.Struct, frozen=True, kw_only=True):
    """Which model a message is about."""

    namespace: str
    name: str
    version: str | None = None


class MessageFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding in a message; a statistic of counts, a feature's value only with `alerting.tell_values`."""

    column: str
    statistic: str
    tier: str
    value: float
    bound: float
    threshold: float
    sentence: str


class MessageIncident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident in a message: what, how bad, since when, since which version, probable cause, what to do.

    Attributes:
        sequence: Number of the step or message within the incident; an older one with a higher number is outdated.
        event: What the receiver does with it: `trigger`, `update` or `end`.
        what: The worst findings; first those of columns that joined, where they did.
        also_moved: Other columns that moved, most certain first; at most one in twenty falsely.
    """

    id: str
    kind: str
    version: str
    step: str
    tier: str
    tier_before: str
    what: tuple[MessageFinding, ...]
    also_moved: tuple[str, ...]
    since: str
    since_version: str | None
    likely_cause: str
    next_step: str
    sentence: str
    sequence: int = 0
    event: NoticeEvent = NoticeEvent.TRIGGER


class MessageAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action in a message: what Driftline requested from another system, would have, or wants someone to decide.

    Attributes:
        explanation: Why, and what is wanted from whom.
        why: It failed, expired, or has no known result; empty in other states.
    """

    id: str
    kind: str
    state: str
    reason: str
    from_version: str
    to_version: str | None
    explanation: str = ""
    why: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a notification.

    Attributes:
        link: Where its pictures are, from `alerting.link`; None where the spec has none.
        not_notified: Receivers that this could not be delivered to, the first one first; the sentence says why.
    """

    type: str
    timestamp: str
    model: ModelName
    tier: str
    window_end: str
    sentence: str
    incidents: tuple[MessageIncident, ...]
    actions: tuple[MessageAction, ...]
    owner: str | None
    runbook: str | None
    link: str | None = None
    not_notified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One decision that people are notified of, with the incident as it is after it.

    Attributes:
        sequence, event: As in `MessageIncident`.
        changed: The period of its version if that began recently.
        unseen: Values by column that the reference never had, where the spec lets messages name them.
    """

    decision: IncidentDecision
    state: IncidentState
    changed: Period | None
    unseen: Mapping[str, FrequentValues] = field(default_factory=dict)
    sequence: int = 0
    event: NoticeEvent = NoticeEvent.TRIGGER

    @property
    def severity(self) -> Tier:
        """How bad it is or, for good news, was: receivers of the one are receivers of the other."""
        return max(self.decision.tier, self.decision.tier_before)


def sentence_of(
    model: ModelKey, decision: IncidentDecision, findings: Sequence[Finding], *, retired: bool = False
) -> str:
    """Return one line: the step, and the sentence of the worst finding or, of columns that joined, theirs.

    Args:
        retired: It was closed because its version serves no more, which is not the step's reason where nobody is
            notified.
    """
    subject = f"{model} {decision.version}"
    if decision.step is Step.RESOLVED:
        end = "closed, not cured: this version serves no more" if retired else "resolved"
        return f"{subject}: {decision.kind.value} incident {end}."
    worst = next(iter(_joined_first(findings, decision)), None)
    sentence = "" if worst is None else worst.sentence or _plain(worst)
    step = decision.step.value
    if decision.joined:
        step += f": {_names(decision.joined)}"
    return f"{subject}: {decision.kind.value} {decision.tier.word} ({step}). {sentence}".rstrip()


def closed_sentence(model: ModelKey, decision: IncidentDecision, state: IncidentState) -> str:
    """Return how the incident ended by *decision*, and what it was: its worst tier, its columns and how long."""
    end = sentence_of(model, decision, (), retired=state.retired).removesuffix(".")
    minutes = ((state.resolved_end or state.last_end) - state.first_end) / MINUTE_MILLIS
    facts = [f"at worst {state.worst.word}"] if state.worst else []
    facts += [f"in {_names(state.columns_to_name)}"] if state.columns_to_name else []
    facts += [f"open for {duration(minutes)}"] if minutes else []
    return f"{end}; {', '.join(facts)}." if facts else f"{end}."


def _names(columns: Sequence[str]) -> str:
    more = len(columns) - COLUMNS_NAMED
    return ", ".join(columns[:COLUMNS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _joined_first(findings: Sequence[Finding], decision: IncidentDecision) -> list[Finding]:
    """Return *findings* with those first that people are notified of for the first time."""
    return sorted(findings, key=lambda finding: finding.column not in decision.joined)


def _plain(finding: Finding) -> str:
    where = f"{finding.column}: " if finding.column else ""
    return (
        f"{where}{finding.statistic} {finding.value:.4g}, proven {finding.bound:.4g} against {finding.threshold:.4g}."
    )


def message_incident(model: ModelKey, notice: Notice) -> MessageIncident:
    """Return one incident's part of a message."""
    decision, state, changed = notice.decision, notice.state, notice.changed
    findings = _joined_first(state.findings, decision)
    length = decision.length * MINUTE_MILLIS
    cause, step = ("", "Nothing to do.") if decision.step is Step.RESOLVED else _cause(state, changed)
    named = [_values_named(finding, notice.unseen) for finding in findings]
    if any(finding.statistic is Statistic.UNSEEN for finding in findings) and not any(named):
        step = f"{step} `driftline incidents {state.id[:8]}` names the values."
    shown = list(zip(findings, named, strict=True))[:FINDINGS_SHOWN]
    return MessageIncident(
        id=state.id,
        kind=state.kind.value,
        version=state.version,
        step=decision.step.value,
        tier=decision.tier.word,
        tier_before=decision.tier_before.word,
        what=tuple(_finding_shown(finding, values) for finding, values in shown),
        also_moved=tuple(name for name in state.moved if name not in {finding.column for finding, _ in shown}),
        since=iso_utc(state.first_end - length),
        since_version=None
        if changed is None
        else f"{state.version} in {changed.stage.value} since {iso_utc(changed.start)}",
        likely_cause=cause,
        next_step=step,
        sentence=sentence_of(model, decision, findings, retired=state.retired) + (named[0] if named else ""),
        sequence=notice.sequence,
        event=notice.event,
    )


def _values_named(finding: Finding, unseen: Mapping[str, FrequentValues]) -> str:
    """Return the values as a sentence to follow the finding's own; empty where there are none to name."""
    if finding.statistic is not Statistic.UNSEEN or finding.column not in unseen:
        return ""
    return f" Unseen: {values_label(unseen[finding.column])}."


def _finding_shown(finding: Finding, values: str) -> MessageFinding:
    return MessageFinding(
        column=finding.column,
        statistic=finding.statistic,
        tier=finding.tier.word,
        value=finding.value,
        bound=finding.bound,
        threshold=finding.threshold,
        sentence=finding.sentence + values,
    )


def _cause(state: IncidentState, changed: Period | None) -> tuple[str, str]:
    """Return the likely cause and the next step."""
    columns = ", ".join(dict.fromkeys(finding.column for finding in state.findings if finding.column))
    version = (
        "" if changed is None else f"version {state.version}, in {changed.stage.value} since {iso_utc(changed.start)}"
    )
    if state.findings and all(finding.statistic is Statistic.VERSIONS for finding in state.findings):
        return (
            "more versions are alive than the spec counts by themselves",
            "Send a release in `version`, not a request or a host; if they are releases, raise `versions` in the spec.",
        )
    if state.kind is IncidentKind.DEPLOYMENT:
        return (
            "a switch that was not finished, or traffic that no deployment event describes",
            f"Take version {state.version} out of service; where it is meant to serve, send a deployment event, with"
            " `traffic` where several versions share production.",
        )
    if state.kind is IncidentKind.DATA_QUALITY:
        return f"a field arrives broken: {columns}", "Ask the owner of the field upstream; do not retrain on it."
    if state.kind is IncidentKind.PERFORMANCE:
        if version:
            return version, "Compare with the version before; roll back if that one is better."
        return "inputs and truths no longer relate as in the reference", "Retrain on recent data, check the truths."
    inputs = [finding for finding in state.findings if finding.role not in PREDICTION_ROLES]
    if inputs or not state.findings:
        return f"the inputs moved: {columns}", "Look at the columns; retrain if the change stays."
    if version:
        return version, "The inputs are stable and the prediction moved: hold or roll back this version."
    return "the prediction moved and no judged input did", "Look for an input that is not monitored."


def message(
    *,
    model: ModelKey,
    alerting: AlertingSpec,
    window_end: int,
    now_millis: int,
    notices: Sequence[Notice],
    actions: Sequence[MessageAction],
    action_tier: Tier = Tier.NONE,
) -> Message:
    """Return the one message of this model and window end; the most severe incident comes first.

    Args:
        action_tier: The highest of the actions; the message's is the highest of all that it says.
    """
    ordered = sorted(notices, key=lambda notice: (-notice.severity, notice.state.kind, notice.state.version))
    incidents = tuple(message_incident(model, notice) for notice in ordered)
    severity = max((action_tier, *(notice.severity for notice in ordered)))
    event = f"model.incident.{ordered[0].decision.step.value}" if ordered else _action_event(actions)
    spoken = [action for action in actions if not incidents or action.state == ActionState.AWAITING_APPROVAL]
    sentences = [incident.sentence for incident in incidents] + [_action_sentence(model, action) for action in spoken]
    return Message(
        type=event,
        timestamp=iso_utc(now_millis),
        model=ModelName(namespace=model.namespace, name=model.name),
        tier=severity.word,
        window_end=iso_utc(window_end),
        sentence=" ".join(sentences),
        incidents=incidents,
        actions=tuple(actions),
        owner=alerting.owner,
        runbook=alerting.runbook,
        link=_link(model, alerting, incidents, actions),
    )


def _link(
    model: ModelKey, alerting: AlertingSpec, incidents: Sequence[MessageIncident], actions: Sequence[MessageAction]
) -> str | None:
    """Return the spec's link of the most severe incident or, where an action alone is reported, of its version."""
    places = {"namespace": model.namespace, "model": model.name}
    if incidents:
        first = incidents[0]
        places |= {"version": first.version, "kind": first.kind, "incident": first.id}
    elif actions:
        places |= {"version": actions[0].from_version}
    return alerting.link_to(**places)


def _action_event(actions: Sequence[MessageAction]) -> str:
    waits = all(action.state == ActionState.AWAITING_APPROVAL for action in actions)
    return "model.action.awaiting_approval" if waits else "model.action.requested"


def _action_sentence(model: ModelKey, action: MessageAction) -> str:
    to = f" to {action.to_version}" if action.to_version else ""
    state = action.state.replace("_", " ")
    return f"{model} {action.from_version}: {action.kind}{to}, {state}: {action.explanation or action.reason}."


def action_outcome(
    *, model: ModelKey, alerting: AlertingSpec, action: MessageAction, event_type: str, window_end: int, now_millis: int
) -> Message:
    """Return the message that an action was not carried out, or may not have been, and a human is needed."""
    why = f" {_WHY[event_type]}: {action.why}." if action.why and event_type in _WHY else ""
    return Message(
        type=event_type,
        timestamp=iso_utc(now_millis),
        model=ModelName(namespace=model.namespace, name=model.name),
        tier=Tier.CRITICAL.word,
        window_end=iso_utc(window_end),
        sentence=f"{_action_sentence(model, action)}{why} {_WANTED[event_type]}",
        incidents=(),
        actions=(action,),
        owner=alerting.owner,
        runbook=alerting.runbook,
        link=_link(model, alerting, (), (action,)),
    )


def undelivered(body: Message, *, receiver: str, why: str, now_millis: int) -> Message:
    """Return the message that *body* did not reach *receiver*, with all that it said; nothing of it is lost.

    It speaks of no incident as its own: which ones are open for the next receiver, that one's own messages say.
    """
    return msgspec.structs.replace(
        body,
        type=UNDELIVERED,
        timestamp=iso_utc(now_millis),
        sentence=f"Receiver {receiver} was not notified ({why}): {body.sentence}",
        incidents=(),
        not_notified=(*body.not_notified, receiver),
    )


def encode_message(body: Message) -> bytes:
    """Return the exact bytes that are signed and sent."""
    return msgspec.json.encode(body)

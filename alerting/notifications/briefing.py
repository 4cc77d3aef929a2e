"""What a message says to those on call, in words: the one value that the body of every receiver is made from; pure.

    Message (stored, signed, the webhook's own body)  ->  Briefing (answers in words)  ->  Slack, mail, PagerDuty, …

Each incident answers what, how bad, since when, since which version, likely cause and next step; the briefing adds
owner, runbook and link. The statistics come second, as `evidence`. All texts are one line without control characters;
what a product treats as markup is escaped in its own file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from alerting.incidents.state import Step
from alerting.notifications.message import Message, MessageAction, MessageFinding, MessageIncident
from alerting.notifications.plain_text import clipped, one_line
from monitor.humanize import duration_words, minute_of
from monitor.types import IncidentKind, ModelKey, NoticeEvent, Statistic, Tier

COLUMNS_NAMED = 3
TITLE_CHARACTERS = 150
NO_VERSION_CHANGE = "no version changed recently"
NO_CAUSE = "nothing holds it any more"
NO_OWNER = "nobody is named (`alerting.owner` in the spec)"
NO_RUNBOOK = "none is named (`alerting.runbook` in the spec)"

Answer = tuple[str, str]
"""A question in two or three words, and what the message answers."""

_URGENCY = {
    Tier.CRITICAL: "needs someone now",
    Tier.ALERT: "needs someone today",
    Tier.WARNING: "look at it in working hours",
}
_HEADLINES = {
    IncidentKind.DRIFT: "the data changed",
    IncidentKind.PERFORMANCE: "predictions got worse",
    IncidentKind.DATA_QUALITY: "data arrives broken",
    IncidentKind.BLIND: "cannot be judged",
    IncidentKind.DEPLOYMENT: "unexpected traffic",
}
_WHAT = {
    Statistic.PSI: "values of {} differ from the reference",
    Statistic.KS: "values of {} differ from the reference",
    Statistic.ANYTIME: "values of {} have changed for good",
    Statistic.MISSING: "{} missing in more events than in the reference",
    Statistic.INVALID: "{} invalid in more events than in the reference",
    Statistic.UNSEEN: "{} with values that the reference never had",
    Statistic.FAR: "{} far outside the reference's range (another unit?)",
    Statistic.STUCK: "{} stuck at one value",
    Statistic.SCHEMA: "{} missing in all events",
    Statistic.ACCURACY: "predictions are wrong more often",
    Statistic.VERSIONS: "more versions send events than the spec counts",
    Statistic.TRAFFIC: "a version that was replaced still gets events",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBriefing:
    """One incident in words.

    Attributes:
        evidence: The statistics, a line per finding.
        worsens: Whether it is worse than, or news to, who was notified before: such an update may wake people again.
    """

    id: str
    kind: str
    version: str
    tier: str
    event: NoticeEvent
    headline: str
    what: str
    how_bad: str
    since: str
    since_version: str
    likely_cause: str
    next_step: str
    evidence: tuple[str, ...]
    started_at: str
    worsens: bool

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that differ from incident to incident, in the order in which they are read."""
        return (
            ("What", self.what),
            ("How bad", self.how_bad),
            ("Since", self.since),
            ("Since version", self.since_version),
            ("Likely cause", self.likely_cause),
            ("Next step", self.next_step),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """One message in words.

    Attributes:
        id: The same in every attempt to send it: the outbox row's.
        key: What all messages of one incident share: the id of its first incident or, without one, of its action.
        event: Of the whole message: a trigger where one of its incidents is one, an end where all are.
        tier: How bad it is now or, of an end, was: of the most severe incident that stands.
        incidents: What stands before what ended, the most severe first; empty where only an action is reported.
        actions: What was requested from other systems, or waits for a person, a line each.
        handling: Who deals with it and until when; empty where nobody said so.
        details: A command that shows everything; there is always one.
        link: Where the pictures are.
    """

    id: str
    key: str
    event: NoticeEvent
    model: str
    namespace: str
    name: str
    tier: str
    title: str
    incidents: tuple[IncidentBriefing, ...]
    actions: tuple[str, ...]
    sentence: str
    handling: str
    owner: str
    runbook: str
    link: str | None
    details: str
    timestamp: str
    window_end: str

    @property
    def closing(self) -> tuple[Answer, ...]:
        """The answers that all incidents of the message share."""
        handling = (("Handled by", self.handling),) if self.handling else ()
        link = (("Link", self.link),) if self.link else ()
        return (*handling, ("Owner", self.owner), ("Runbook", self.runbook), *link, ("Details", self.details))

    @property
    def first(self) -> IncidentBriefing | None:
        """The most severe incident."""
        return self.incidents[0] if self.incidents else None

    @property
    def worsens(self) -> bool:
        """Whether it may wake people who were notified before."""
        return not self.incidents or any(incident.worsens for incident in self.incidents)

    @property
    def blocks(self) -> Iterator[tuple[str, tuple[Answer, ...], tuple[str, ...]]]:
        """Yield heading, answers and evidence of each incident; of an action alone, what is reported of it."""
        if not self.incidents:
            yield "", (("What", self.sentence), ("How bad", _how_bad(self.tier))), ()
        for incident in self.incidents:
            heading = incident.headline if len(self.incidents) > 1 else ""
            yield heading, incident.answers, incident.evidence


def briefing(message: Message, *, identifier: str, event: NoticeEvent | None = None, handling: str = "") -> Briefing:
    """Return *message* in words.

    Args:
        identifier: Of its outbox row.
        event: What it is to its receiver; None: what its incidents are.
        handling: Who deals with it, where somebody does.
    """
    model = one_line(str(ModelKey(message.model.namespace, message.model.name)))
    message = replace(message, incidents=tuple(sorted(message.incidents, key=_ended)))
    incidents = tuple(_incident(model, incident, message.window_end) for incident in message.incidents)
    first = message.incidents[0].id if message.incidents else None
    action = message.actions[0].id if message.actions else identifier
    event = event or _event(incidents)
    standing = [incident for incident in incidents if incident.event is not NoticeEvent.END] or incidents
    tier = max((Tier.of_word(incident.tier) for incident in standing), default=Tier.of_word(message.tier)).word
    subject = f"incidents {first[:8]}" if first else f"actions {action[:8]}" if message.actions else "incidents"
    return Briefing(
        id=identifier,
        key=first or action,
        event=event,
        model=model,
        namespace=one_line(message.model.namespace),
        name=one_line(message.model.name),
        tier=tier,
        title=_title(model, message, incidents, event, tier=tier),
        incidents=incidents,
        actions=tuple(_action(action) for action in message.actions),
        sentence=one_line(message.sentence),
        handling=one_line(handling),
        owner=one_line(message.owner or NO_OWNER),
        runbook=one_line(message.runbook or NO_RUNBOOK),
        link=one_line(message.link) if message.link else None,
        details=f"`driftline {subject}`",
        timestamp=message.timestamp,
        window_end=message.window_end,
    )


def one_per_incident(message: Message) -> tuple[Message, ...]:
    """Return a message for each incident, for receivers that follow every incident under an id of its own.

    Actions stay with the first; what reports an action alone is one message.
    """
    if len(message.incidents) < 2:
        return (message,)
    return tuple(
        replace(
            message,
            type=f"model.incident.{incident.step}",
            tier=_severity(incident).word,
            sentence=incident.sentence,
            incidents=(incident,),
            actions=() if place else message.actions,
        )
        for place, incident in enumerate(message.incidents)
    )


def _ended(incident: MessageIncident) -> bool:
    return incident.step == Step.RESOLVED or incident.event is NoticeEvent.END


def _event(incidents: Sequence[IncidentBriefing]) -> NoticeEvent:
    """Return what the whole message is: over only where all of it is, whatever it says first."""
    events = {incident.event for incident in incidents}
    if not events or NoticeEvent.TRIGGER in events:
        return NoticeEvent.TRIGGER
    return events.pop() if len(events) == 1 else NoticeEvent.UPDATE


def _severity(incident: MessageIncident) -> Tier:
    return max(Tier.of_word(incident.tier), Tier.of_word(incident.tier_before))


def _incident(model: str, incident: MessageIncident, window_end: str) -> IncidentBriefing:
    step = Step(incident.step)
    ended = _ended(incident)
    event = NoticeEvent.END if ended else incident.event
    tier = incident.tier_before if ended else incident.tier
    columns = list(dict.fromkeys(one_line(finding.column) for finding in incident.what if finding.column))
    named = f" ({_names(columns, ticks=False)})" if columns else ""
    version = one_line(incident.version)
    return IncidentBriefing(
        id=incident.id,
        kind=incident.kind,
        version=version,
        tier=tier,
        event=event,
        headline=f"{model} {version}: {_headline(incident, columns)}{named}",
        what=one_line(incident.sentence) if ended else _what(incident),
        how_bad=f"it is over; before that: {tier}" if ended else _how_bad(tier, before=incident.tier_before),
        since=_since(incident.since, window_end, ended=ended),
        since_version=one_line(incident.since_version or NO_VERSION_CHANGE),
        likely_cause=one_line(incident.likely_cause or NO_CAUSE),
        next_step=one_line(incident.next_step),
        evidence=tuple(_evidence(incident)),
        started_at=incident.since,
        worsens=step is not Step.CALMED and not ended,
    )


def _headline(incident: MessageIncident, columns: Sequence[str]) -> str:
    kind = IncidentKind(incident.kind)
    if kind is IncidentKind.DRIFT and columns and all(column.startswith("prediction.") for column in columns):
        return "predictions changed"
    return _HEADLINES[kind]


def _title(
    model: str, message: Message, incidents: Sequence[IncidentBriefing], event: NoticeEvent, *, tier: str
) -> str:
    words = {NoticeEvent.END: "RESOLVED", NoticeEvent.ACKNOWLEDGE: "ACKNOWLEDGED"}
    label = words.get(event, tier.upper())
    if message.not_notified:
        names = ", ".join(message.not_notified)
        return clipped(one_line(f"[{label}] {model}: {names} was not notified"), TITLE_CHARACTERS)
    if not incidents:
        states = dict.fromkeys(f"{action.kind} {action.state.replace('_', ' ')}" for action in message.actions)
        return clipped(one_line(f"[{label}] {model}: {', '.join(states) or message.type}"), TITLE_CHARACTERS)
    before = message.incidents[0].tier_before
    if event is NoticeEvent.UPDATE and before not in (incidents[0].tier, Tier.NONE.word):
        label = f"{incidents[0].tier.upper()}, was {before.upper()}"
    more = f" and {len(incidents) - 1} more" if len(incidents) > 1 else ""
    return clipped(f"[{label}] {incidents[0].headline}{more}", TITLE_CHARACTERS)


def _how_bad(tier: str, *, before: str = Tier.NONE.word) -> str:
    was = f" (was {before})" if before not in (tier, Tier.NONE.word) else ""
    urgency = _URGENCY.get(Tier.of_word(tier))
    return f"{tier}{was}, {urgency}" if urgency else f"{tier}{was}"


def _since(since: str, window_end: str, *, ended: bool) -> str:
    minutes = (datetime.fromisoformat(window_end) - datetime.fromisoformat(since)).total_seconds() / 60
    lasted = "it lasted at most" if ended else "for"
    return f"{minute_of(since)} UTC, {lasted} {duration_words(max(minutes, 0.0))}"


def _what(incident: MessageIncident) -> str:
    """Return the findings in words, columns of one statistic together; the sentence where there are none."""
    columns: dict[str, list[str]] = {}
    for finding in incident.what:
        columns.setdefault(_WHAT[Statistic(finding.statistic)], []).append(one_line(finding.column))
    parts = [words.format(_names([name for name in names if name])) for words, names in columns.items()]
    return "; ".join(dict.fromkeys(parts)) if parts else one_line(incident.sentence)


def _names(columns: Sequence[str], *, ticks: bool = True) -> str:
    shown = [f"`{name}`" if ticks else name for name in columns[:COLUMNS_NAMED]]
    more = len(columns) - COLUMNS_NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _evidence(incident: MessageIncident) -> Iterator[str]:
    for finding in incident.what:
        yield one_line(finding.sentence) or _numbers(finding)
    if incident.also_moved:
        names = [one_line(name) for name in incident.also_moved]
        yield f"Also moved, at most one in twenty of them falsely: {_names(names)}."


def _numbers(finding: MessageFinding) -> str:
    where = f"`{one_line(finding.column)}`: " if finding.column else ""
    return (
        f"{where}{finding.statistic} {finding.value:.4g}, proven {finding.bound:.4g} against {finding.threshold:.4g}."
    )


def _action(action: MessageAction) -> str:
    to = f" to {action.to_version}" if action.to_version else ""
    why = f" Why: {action.why}." if action.why else ""
    state = action.state.replace("_", " ")
    return one_line(f"{action.kind} of {action.from_version}{to}, {state}: {action.explanation or action.reason}.{why}")

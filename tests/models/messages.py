"""Messages as the alerter stores them: one incident from its start to its end, several at once, an action alone."""

from dataclasses import dataclass

from msgspec.structs import replace

from alerting.notifications.briefing import Briefing, briefing
from alerting.notifications.message import Message, MessageAction, MessageFinding, MessageIncident, ModelName
from monitor.types import NoticeEvent

INCIDENT = "6a1de2ac-5a0f-5be3-9a55-6a0f3a1f2d10"
ROW = "0b9c2b34-7f3c-5d52-8a1e-52f3f1a0c9d7"
RUNBOOK = "https://wiki.example.org/runbooks/credit?from=driftline&page=2"
LINK = "https://grafana.example.org/d/driftline?var-model=credit"
EVENTS = tuple(NoticeEvent)

SCORE = MessageFinding(
    column="prediction.score",
    statistic="psi",
    tier="critical",
    value=1.14,
    bound=0.65,
    threshold=0.3,
    sentence="`prediction.score`: PSI 1.14 (at least 0.65 at 99.9 %): warning 0.1 proven, alert 0.2 proven, critical "
    "0.3 proven; 10 min window, 3,000 events, this column naturally moves ×1.2; both halves.",
)
INCOME = MessageFinding(
    column="income",
    statistic="missing",
    tier="alert",
    value=0.14,
    bound=0.12,
    threshold=0.05,
    sentence="`income`: missing in 14 % of events, reference 1 %; 10 min window, 3,000 events; both halves.",
)
DRIFT = MessageIncident(
    id=INCIDENT,
    kind="drift",
    version="3.3.0",
    step="opened",
    tier="critical",
    tier_before="none",
    what=(SCORE,),
    also_moved=("income", "region"),
    since="2026-11-27T02:20:00Z",
    since_version="3.3.0 in production since 2026-11-27T02:05:00Z",
    likely_cause="version 3.3.0, in production since 2026-11-27T02:05:00Z",
    next_step="The inputs are stable and the prediction moved: hold or roll back this version.",
    sentence=f"credit 3.3.0: drift critical (opened). {SCORE.sentence}",
    sequence=1,
    event=NoticeEvent.TRIGGER,
)
BROKEN = MessageIncident(
    id="77f5aa0e-2c5b-5c17-8d0a-1be1f8cf5f42",
    kind="data_quality",
    version="3.3.0",
    step="escalated",
    tier="alert",
    tier_before="warning",
    what=(INCOME,),
    also_moved=(),
    since="2026-11-27T01:50:00Z",
    since_version=None,
    likely_cause="a field arrives broken: income",
    next_step="Ask the owner of the field upstream; do not retrain on it.",
    sentence=f"credit 3.3.0: data_quality alert (escalated). {INCOME.sentence}",
    sequence=2,
    event=NoticeEvent.UPDATE,
)
ROLLBACK = MessageAction(
    id="c1f0a7de-4d55-5b0b-a6c8-9f7a2f9e3b61",
    kind="rollback",
    state="awaiting_approval",
    reason="only_shift_proven",
    from_version="3.3.0",
    to_version="3.2.1",
    explanation="the score shifted with this version and no label says yet whether that is worse; hold 3.3.0: give it "
    "no more traffic; until 2026-11-27T06:30:00Z approve with `driftline actions c1f0a7de approve`, or reject with "
    "`driftline actions c1f0a7de reject --why TEXT`",
)
OPENED = Message(
    type="model.incident.opened",
    timestamp="2026-11-27T02:30:04Z",
    model=ModelName(namespace="default", name="credit"),
    tier="critical",
    window_end="2026-11-27T02:30:00Z",
    sentence=DRIFT.sentence,
    incidents=(DRIFT,),
    actions=(ROLLBACK,),
    owner="credit team",
    runbook=RUNBOOK,
    link=LINK,
)
CALMED = replace(
    OPENED,
    type="model.incident.calmed",
    timestamp="2026-11-27T03:10:02Z",
    window_end="2026-11-27T03:10:00Z",
    incidents=(
        replace(DRIFT, step="calmed", tier="warning", tier_before="critical", sequence=2, event=NoticeEvent.UPDATE),
    ),
    actions=(),
)
RESOLVED = replace(
    OPENED,
    type="model.incident.resolved",
    timestamp="2026-11-27T03:40:03Z",
    tier="warning",
    window_end="2026-11-27T03:40:00Z",
    sentence="credit 3.3.0: drift incident resolved.",
    incidents=(
        replace(
            DRIFT,
            step="resolved",
            sequence=3,
            event=NoticeEvent.END,
            tier="none",
            tier_before="warning",
            what=(),
            also_moved=(),
            likely_cause="",
            next_step="Nothing to do.",
            sentence="credit 3.3.0: drift incident resolved.",
        ),
    ),
    actions=(),
)
SEVERAL = replace(OPENED, incidents=(DRIFT, BROKEN), sentence=f"{DRIFT.sentence} {BROKEN.sentence}")
ACTION = replace(
    OPENED,
    type="model.action.expired",
    incidents=(),
    actions=(replace(ROLLBACK, state="expired", explanation="", reason="two_keys", why="no answer in 5 minutes"),),
    sentence="credit 3.3.0: rollback to 3.2.1, expired: two_keys. Nothing more is sent; please act by hand.",
)

NASTY_NAMES = (
    "<!channel> @here <@U123> <https://evil.example|click> & &lt;",
    "[click](https://evil.example) **now** `x` | {{DATE(2026-01-01T00:00:00Z,SHORT)}} <at>all</at>",
    "a\r\nBcc: everyone@example.org\r\n\r\nDear all,",
    "\x1b[31mred\x1b[0m \x9b31m \u202egnp.exe \u2066x\u2069 \x00 \u200b\ufeff",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    '"}],"dedup_key":"another","x":[{"',
    "Ж" * 2000 + "&" * 2000,
)
NAME_NUMBERS = [f"name{number}" for number in range(len(NASTY_NAMES))]


@dataclass(frozen=True, slots=True)
class Story:
    """The messages of one incident to one receiver, in order."""

    messages: tuple[tuple[NoticeEvent, Message], ...]


STORY = Story(
    (
        (NoticeEvent.TRIGGER, OPENED),
        (NoticeEvent.UPDATE, CALMED),
        (NoticeEvent.ACKNOWLEDGE, CALMED),
        (NoticeEvent.END, RESOLVED),
    )
)
HANDLING = {NoticeEvent.ACKNOWLEDGE: "Anna, until 2026-11-27 07:00 UTC"}


def row_id(event: NoticeEvent) -> str:
    """Return the id of the outbox row that carries *event* in the story."""
    return ROW[:-1] + str(EVENTS.index(event))


def story_briefing(event: NoticeEvent) -> Briefing:
    """Return the story's message of this event, in words."""
    message = dict(STORY.messages)[event]
    return briefing(message, identifier=row_id(event), event=event, handling=HANDLING.get(event, ""))


def named(message: Message, name: str) -> Message:
    """Return *message* with every text that others choose replaced by *name*."""
    model = replace(message.model, namespace=name, name=name)
    incidents = tuple(_named_incident(incident, name) for incident in message.incidents)
    actions = tuple(
        replace(action, from_version=name, to_version=name, explanation=f"because of {name}", why=name)
        for action in message.actions
    )
    return replace(
        message, model=model, incidents=incidents, actions=actions, owner=name, runbook=name, link=name, sentence=name
    )


def _named_incident(incident: MessageIncident, name: str) -> MessageIncident:
    findings = tuple(replace(finding, column=name, sentence=f"`{name}`: PSI 1.1") for finding in incident.what)
    return replace(
        incident,
        version=name,
        what=findings,
        also_moved=(name,),
        since_version=f"{name} in production",
        likely_cause=f"the inputs moved: {name}",
        next_step=f"Look at {name}",
        sentence=f"{name}: drift",
    )

"""The golden bodies: what each receiver is sent of the story's messages; `python -m` this file writes them again."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from alerting.notifications.briefing import Briefing
from alerting.notifications.message import encode_message
from alerting.receivers import alertmanager, jsm, mail, pagerduty, slack, teams
from alerting.receivers.alertmanager_body import alertmanager_body
from alerting.receivers.request import HttpRequest, Mail
from monitor.types import NoticeEvent
from tests.models.messages import CALMED, OPENED, RESOLVED, story_briefing

FOLDER = Path(__file__).with_name("golden")
PAGES = sorted((Path(__file__).parents[4] / "docs" / "receivers").glob("*.md"))
EVENTS = tuple(NoticeEvent)
_EXAMPLE = re.compile(r"<!-- golden: (\S+) -->\n(?:```text\n.*?\n```\n)?", re.DOTALL)
NOW = 1_795_746_604_000
MESSAGES = {NoticeEvent.TRIGGER: OPENED, NoticeEvent.UPDATE: CALMED, NoticeEvent.END: RESOLVED}

PAGERDUTY = pagerduty.PagerDutyTarget(routing_key="0123456789abcdef0123456789abcdef")
JSM = jsm.JsmTarget(api_key="00000000-0000-0000-0000-000000000000")
SLACK = slack.SlackTarget(token="xoxb-0000", channel="C024BE91L", thread="1764210604.000000")
TEAMS = teams.TeamsTarget(url="https://example.org/workflows/abc")
MAIL = mail.MailTarget(sender="driftline@example.org", recipients=("oncall@example.org", "lead@example.org"))
PEER = alertmanager.AlertmanagerTarget(url="http://alertmanager-0:9093", labels={"team": "credit"})

Made = HttpRequest | Mail | tuple[HttpRequest, ...]
BODIES: Mapping[str, Callable[[Briefing, NoticeEvent], Made]] = {
    "pagerduty": lambda briefing, event: getattr(pagerduty, event.value)(briefing, PAGERDUTY),
    "jsm": lambda briefing, event: getattr(jsm, event.value)(briefing, JSM),
    "slack": lambda briefing, event: getattr(slack, event.value)(briefing, SLACK),
    "teams": lambda briefing, event: getattr(teams, event.value)(briefing, TEAMS),
    "mail": lambda briefing, event: getattr(mail, event.value)(briefing, MAIL),
}


def level(event: NoticeEvent) -> alertmanager.Level:
    """Return how the story's incident stands at *event*."""
    ended = NOW if event is NoticeEvent.END else None
    return alertmanager.Level(briefing=story_briefing(event), started_at=NOW - 600_000, ended_at=ended)


def golden(event: NoticeEvent) -> dict[str, str]:
    """Return every receiver's body of *event*, as text for people to read."""
    briefing = story_briefing(event)
    requests = {name: make(briefing, event) for name, make in BODIES.items()}
    texts = {f"{name}-{event.value}{_suffix(request)}": _text(request) for name, request in requests.items()}
    if event is not NoticeEvent.ACKNOWLEDGE:
        alerts = alertmanager.alerts([level(event)], PEER, now_millis=NOW)
        texts[f"alertmanager-{event.value}.json"] = _json(msgspec.json.encode(alerts))
        own = encode_message(MESSAGES[event])
        texts[f"webhook-{event.value}.json"] = _json(own)
        other = msgspec.json.encode(alertmanager_body([briefing], receiver="bridge"))
        texts[f"webhook-alertmanager-{event.value}.json"] = _json(other)
    return texts


def _suffix(request: Made) -> str:
    return ".eml" if isinstance(request, Mail) else ".json"


def _text(request: Made) -> str:
    if isinstance(request, tuple):
        return "".join(_text(part) for part in request)
    if isinstance(request, Mail):
        return request.content.decode().replace("\r\n", "\n")
    return f"{request.method} {request.url}\n{_json(request.body)}"


def _json(body: bytes) -> str:
    content: Any = msgspec.json.decode(body)
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def with_examples(page: str) -> str:
    """Return a page of the documentation with the golden body after each mark that names one."""
    texts = {name: text for event in EVENTS for name, text in golden(event).items()}
    return _EXAMPLE.sub(lambda mark: f"<!-- golden: {mark[1]} -->\n```text\n{texts[mark[1]]}```\n", page)


def write() -> None:
    """Write all of them, and the examples of the documentation; what changed is read in the diff."""
    FOLDER.mkdir(exist_ok=True)
    for event in EVENTS:
        for name, text in golden(event).items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    for page in PAGES:
        page.write_text(with_examples(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()

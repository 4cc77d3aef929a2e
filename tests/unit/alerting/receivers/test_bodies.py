"""The body of each receiver: the golden ones, every answer in it, its product's limits, and names that attack it."""

import email
import email.policy
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerting.notifications.briefing import Briefing, briefing, one_per_incident
from alerting.notifications.message import UNDELIVERED, Message
from alerting.receivers import alertmanager, teams
from alerting.receivers.alertmanager_body import alertmanager_body
from alerting.receivers.request import HttpRequest, Mail
from monitor.spec.actions import ReceiverType
from monitor.types import NoticeEvent
from tests.fakes.on_call_products import JsmOperations, PagerDuty, Product, Slack, Teams, answered
from tests.models.messages import (
    ACTION,
    BROKEN,
    CALMED,
    INCIDENT,
    LINK,
    NASTY_NAMES,
    OPENED,
    RESOLVED,
    ROW,
    RUNBOOK,
    SEVERAL,
    named,
    story_briefing,
)
from tests.unit.alerting.receivers import golden

EVENTS = tuple(NoticeEvent)
MESSAGES = {"opened": OPENED, "calmed": CALMED, "resolved": RESOLVED, "several": SEVERAL, "action": ACTION}
ANSWERS = (
    "values of `prediction.score` differ from the reference",  # what
    "critical, needs someone now",  # how bad
    "2026-11-27 02:20 UTC",  # since when
    "3.3.0 in production since 2026-11-27T02:05:00Z",  # since which version
    "version 3.3.0, in production since",  # likely cause
    "hold or roll back this version",  # next step
    "credit team",  # owner
    "driftline incidents 6a1de2ac",
    "PSI 1.14 (at least 0.65 at 99.9 %)",  # the statistics, second
)
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
names = st.one_of(st.sampled_from(NASTY_NAMES), st.text(max_size=300))


def texts_in(content: Any) -> Iterator[str]:
    """Yield every text of a JSON value, keys too."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from texts_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts_in(value)
    elif isinstance(content, str):
        yield content


def in_words(message: Message) -> Briefing:
    return briefing(message, identifier=ROW)


def bodies_of(message: Message) -> Iterator[tuple[str, NoticeEvent, HttpRequest | Mail]]:
    """Yield what every receiver is sent of *message*, whatever event it is to it."""
    for event in EVENTS:
        said = briefing(message, identifier=ROW, event=event, handling=message.owner or "")
        for name, make in golden.BODIES.items():
            made = make(said, event)
            for request in made if isinstance(made, tuple) else (made,):
                yield name, event, request


def mail_of(request: Mail) -> email.message.EmailMessage:
    return email.message_from_bytes(request.content, policy=email.policy.default)


def shown_in(request: golden.Made) -> str:
    """Return everything that a person could read of *request*."""
    if isinstance(request, tuple):
        return "\n".join(map(shown_in, request))
    if isinstance(request, Mail):
        mail = mail_of(request)
        return f"{mail['Subject']}\n{mail.get_content()}"
    return "\n".join(texts_in(msgspec.json.decode(request.body)))


@pytest.mark.parametrize("event", EVENTS)
def test_bodies_are_as_they_were(event: NoticeEvent) -> None:
    """A golden file holds what is sent; a change on purpose: `python -m tests.unit.alerting.receivers.golden`."""
    for name, text in golden.golden(event).items():
        assert (golden.FOLDER / name).read_text(encoding="utf-8") == text, name


def test_no_golden_body_is_left_over() -> None:
    """Every file is compared."""
    assert {path.name for path in golden.FOLDER.iterdir()} == {
        name for event in EVENTS for name in golden.golden(event)
    }


@pytest.mark.parametrize("page", golden.PAGES, ids=lambda page: page.stem)
def test_the_documentation_shows_what_is_sent(page: Path) -> None:
    """The example on each receiver's page is the golden body, not one of long ago."""
    text = page.read_text(encoding="utf-8")
    assert golden.with_examples(text) == text
    assert "<!-- golden:" in text or page.stem in ("README", "log")


def test_every_type_of_receiver_has_its_page() -> None:
    """A type that is added is documented."""
    assert {page.stem for page in golden.PAGES} == {"README", *(receiver.value for receiver in ReceiverType)}


@pytest.mark.parametrize("name", golden.BODIES)
def test_every_answer_is_in_what_wakes_someone(name: str) -> None:
    """What, how bad, since when, since which version, likely cause, next step, link, runbook, owner, statistics."""
    shown = shown_in(golden.BODIES[name](story_briefing(NoticeEvent.TRIGGER), NoticeEvent.TRIGGER)).replace(
        "&amp;", "&"
    )
    assert [answer for answer in (*ANSWERS, RUNBOOK, LINK) if answer not in shown] == []


def test_every_answer_is_in_an_alert() -> None:
    """The same of Alertmanager's, and of a webhook with Alertmanager's body."""
    alerts = alertmanager.alerts([golden.level(NoticeEvent.TRIGGER)], golden.PEER, now_millis=golden.NOW)
    for content in (alerts, alertmanager_body([story_briefing(NoticeEvent.TRIGGER)], receiver="bridge")):
        shown = "\n".join(texts_in(content))
        assert [answer for answer in (*ANSWERS, RUNBOOK, LINK) if answer not in shown] == []


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_words_come_before_statistics(message: Message) -> None:
    """A mail's first line is its subject; no number of a test stands above the answers."""
    lines = shown_in(golden.BODIES["mail"](in_words(message), NoticeEvent.TRIGGER)).splitlines()
    assert lines[1] == in_words(message).title
    evidence = lines.index("Evidence:") if "Evidence:" in lines else len(lines)
    assert not any("PSI" in line for line in lines[:evidence] if not line.startswith("What: credit"))


PRODUCTS: dict[str, Product] = {
    "pagerduty": PagerDuty(golden.PAGERDUTY.routing_key),
    "jsm": JsmOperations(golden.JSM.api_key),
    "slack": Slack(golden.SLACK.token),
    "teams": Teams(),
}


@given(name=names, message=st.sampled_from(sorted(MESSAGES)))
def test_any_name_is_taken_by_every_product_and_hides_nothing(name: str, message: str) -> None:
    """Whatever a model, version, column, owner or link is called: limits are kept, no character hides or steers."""
    for receiver, _, request in bodies_of(named(MESSAGES[message], name)):
        if isinstance(request, HttpRequest):
            assert answered(PRODUCTS[receiver], request).status in (200, 202)
            for text in texts_in(msgspec.json.decode(request.body)):
                assert not [c for c in text.replace("\n", "") if unicodedata.category(c) in HIDDEN], receiver
        else:
            assert len(request.content) < 200_000


@given(name=names)
def test_slack_shows_no_markup_that_a_name_brings(name: str) -> None:
    """No `<` but those of our own links: no mention of a channel, no link under another text, no half entity."""
    for receiver, _, request in bodies_of(named(SEVERAL, name)):
        if receiver != "slack" or not isinstance(request, HttpRequest):
            continue
        content = msgspec.json.decode(request.body)
        texts = [content["text"], *(text for block in content["blocks"] for text in block_texts(block))]
        for text in texts:
            without_links = re.sub(r"<https?://[^<>|\s]+\|[^<>]*>", "", text)
            assert not set("<>") & set(without_links), text
            assert not re.sub(r"&(amp|lt|gt);", "", text).count("&"), text


def block_texts(block: dict[str, Any]) -> list[str]:
    """Return the texts of a block that knows markup; a header knows none."""
    if block["type"] == "header":
        assert not set("<>") & set(block["text"]["text"])
        return []
    return [text["text"] for text in block.get("elements", [block.get("text")])]


@given(name=names)
def test_a_mail_has_the_headers_that_we_gave_it(name: str) -> None:
    """A name with CR LF adds no recipient and no header, and ends no header early."""
    for receiver, _, request in bodies_of(named(SEVERAL, name)):
        if receiver != "mail" or not isinstance(request, Mail):
            continue
        mail = mail_of(request)
        assert {key.lower() for key in mail} <= {
            *("from", "to", "subject", "date", "message-id", "references", "auto-submitted", "importance"),
            *("content-type", "content-transfer-encoding", "mime-version"),
        }
        assert mail["To"] == ", ".join(golden.MAIL.recipients)
        assert mail["From"] == golden.MAIL.sender
        head, _, _ = request.content.partition(b"\r\n\r\n")
        assert all(len(line) <= 998 for line in request.content.split(b"\r\n"))  # RFC 5322
        assert head.isascii()


@given(name=names)
def test_a_card_knows_no_markdown(name: str) -> None:
    """All texts are text runs; the only links are those of http, as buttons; dates are not filled in."""
    for receiver, _, request in bodies_of(named(SEVERAL, name)):
        if receiver == "teams" and isinstance(request, HttpRequest):
            card = msgspec.json.decode(request.body)["attachments"][0]["content"]
            assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
            assert not any("{{" in text for text in texts_in(card["body"]))


def test_a_card_of_many_incidents_stays_under_28_kb() -> None:
    """What is left out is evidence first; the worst incident keeps every answer."""
    many = msgspec.structs.replace(SEVERAL, incidents=SEVERAL.incidents * 40)
    for message in (many, named(many, "Ж" * 3000)):
        request = teams.trigger(in_words(message), golden.TEAMS)
        assert len(request.body) <= 28_000
        labels = [block["inlines"][0]["text"] for block in card_of(request)["body"]]
        assert {"What: ", "How bad: ", "Since: ", "Likely cause: ", "Next step: ", "Owner: ", "Runbook: "} <= set(
            labels
        )


def card_of(request: HttpRequest) -> dict[str, Any]:
    return msgspec.json.decode(request.body)["attachments"][0]["content"]


@given(name=names)
def test_an_alert_is_one_alert_whatever_changes_in_it(name: str) -> None:
    """Its labels do not follow tier, version or columns: else each change would be another alert that never ends."""
    levels = [golden.level(event) for event in (NoticeEvent.TRIGGER, NoticeEvent.UPDATE, NoticeEvent.END)]
    other = briefing(named(OPENED, name), identifier=ROW)
    labels = [
        alertmanager.alerts([level], golden.PEER, now_millis=golden.NOW)[0]["labels"]
        for level in (*levels, alertmanager.Level(briefing=other, started_at=0))
    ]
    assert labels[0] == labels[1] == labels[2]
    assert set(labels[3]) == {"alertname", "kind", "model", "namespace", "team"}


def test_one_message_of_several_incidents_is_one_for_each_where_ids_count() -> None:
    """PagerDuty and JSM follow an incident by its id: the second one is opened and ended there as the first is."""
    parts = one_per_incident(SEVERAL)
    assert [part.incidents[0].id for part in parts] == [incident.id for incident in SEVERAL.incidents]
    assert [part.type for part in parts] == ["model.incident.opened", "model.incident.escalated"]
    assert [part.tier for part in parts] == ["critical", "alert"]
    assert [len(part.actions) for part in parts] == [1, 0]
    assert one_per_incident(ACTION) == (ACTION,)


def test_an_end_hides_nothing_that_stands() -> None:
    """A message of an end and of what stands is about what stands; the end is sent where ids or labels count."""
    (ended,), stands = RESOLVED.incidents, BROKEN
    said = in_words(replace(RESOLVED, incidents=(ended, stands)))
    assert (said.event, said.key, said.tier) == (NoticeEvent.UPDATE, stands.id, "alert")
    assert said.title.startswith("[ALERT, was WARNING] credit 3.3.0: data arrives broken")
    parts = [in_words(part) for part in one_per_incident(replace(RESOLVED, incidents=(ended, stands)))]
    assert [(part.key, part.event) for part in parts] == [
        (ended.id, NoticeEvent.END),
        (stands.id, NoticeEvent.UPDATE),
    ]
    alerts = alertmanager_body(parts, receiver="bridge")
    assert alerts["status"] == "firing"
    assert [alert["status"] for alert in alerts["alerts"]] == ["resolved", "firing"]
    assert set(alerts["commonLabels"]) == {"model", "namespace"}


def test_a_receiver_that_is_notified_late_is_sent_a_trigger() -> None:
    """What the receiver was sent counts, not the step: of an incident that escalated before it was to know of it."""
    late = replace(BROKEN, event=NoticeEvent.TRIGGER)
    assert in_words(replace(SEVERAL, incidents=(late,))).event is NoticeEvent.TRIGGER
    closed = replace(late, step="resolved", tier="none")  # the program before stored no events
    assert in_words(replace(SEVERAL, incidents=(closed,))).event is NoticeEvent.END


def test_a_title_names_the_receiver_that_was_not_notified() -> None:
    """A message that another receiver did not take has no incident of its own; the command shows all of them."""
    said = in_words(replace(OPENED, type=UNDELIVERED, incidents=(), actions=(), not_notified=("pager",)))
    assert said.title == "[CRITICAL] credit: pager was not notified"
    assert said.details == "`driftline incidents`"


def test_all_mails_of_an_incident_are_one_thread() -> None:
    """One `References`, another `Message-ID` in each row, the same one when a row is sent again."""
    mails = [mail_of(golden.BODIES["mail"](story_briefing(event), event)) for event in EVENTS]  # type: ignore[arg-type]
    assert {mail["References"] for mail in mails} == {f"<{INCIDENT}@example.org>"}
    assert len({mail["Message-ID"] for mail in mails}) == len(EVENTS)
    again = mail_of(golden.BODIES["mail"](story_briefing(EVENTS[0]), EVENTS[0]))  # type: ignore[arg-type]
    assert again["Message-ID"] == mails[0]["Message-ID"]

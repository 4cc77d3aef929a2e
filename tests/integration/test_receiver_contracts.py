"""The story of one incident over real HTTP to servers that answer as the products' documentation says."""

from collections.abc import Callable
from dataclasses import replace

import httpx2
import msgspec

from alerting.notifications.briefing import Briefing
from alerting.receivers import jsm, pagerduty, slack, teams
from alerting.receivers.request import HttpRequest
from monitor.types import NoticeEvent
from tests.fakes.on_call_products import JsmOperations, PagerDuty, Slack, Teams, serving
from tests.models.messages import INCIDENT, STORY, story_briefing

EVENTS = [event for event, _ in STORY.messages]
TRIGGER, UPDATE, ACKNOWLEDGE, END = EVENTS


def send(request: HttpRequest) -> httpx2.Response:
    """Send one request as it is."""
    with httpx2.Client(trust_env=False, timeout=30) as client:
        return client.request(request.method, request.url, content=request.body, headers=dict(request.headers))


def statuses(make: Callable[[NoticeEvent, Briefing], HttpRequest]) -> list[int]:
    """Send the story; return the HTTP status of each message."""
    return [send(make(event, story_briefing(event))).status_code for event in EVENTS]


def test_pagerduty_has_one_alert_from_trigger_to_resolve() -> None:
    """The incident's id is the key throughout; an update adds to the alert, and one sent again changes nothing."""
    product = PagerDuty("0123456789abcdef0123456789abcdef")
    seen = []
    with serving(product) as url:
        target = pagerduty.PagerDutyTarget(routing_key=product.routing_key, url=f"{url}/v2/enqueue")
        for event in EVENTS:
            for _ in range(2):
                assert send(getattr(pagerduty, event)(story_briefing(event), target)).status_code == 202
            seen.append(product.alerts[INCIDENT])
    assert seen == ["triggered", "triggered", "acknowledged", "resolved"]
    assert list(product.alerts) == [INCIDENT]
    assert [entry["payload"]["severity"] for entry in product.entries if "payload" in entry][::2] == [
        "critical",
        "warning",
    ]


def test_pagerduty_refuses_another_key() -> None:
    """A wrong integration key is a 400, which is final."""
    with serving(PagerDuty("right")) as url:
        target = pagerduty.PagerDutyTarget(routing_key="wrong", url=f"{url}/v2/enqueue")
        assert send(pagerduty.trigger(story_briefing(TRIGGER), target)).status_code == 400


def test_jsm_has_one_alert_by_alias_from_create_to_close() -> None:
    """What got better is a note and wakes nobody; acknowledge and close find the alert by its alias."""
    product = JsmOperations("key")
    with serving(product) as url:
        target = jsm.JsmTarget(api_key="key", url=f"{url}/jsm/ops/integration/v2/alerts")
        for event in EVENTS:
            answers = [send(request) for request in getattr(jsm, event)(story_briefing(event), target)]
            assert {answer.status_code for answer in answers} == {202}
    (alias,) = product.alerts
    alert = product.alerts[alias]
    assert alias == f"{INCIDENT}.critical"
    assert (alert["status"], alert["acknowledged"], alert["count"], alert["priority"]) == ("closed", True, 1, "P1")
    assert [note.splitlines()[0].split("]")[0] for note in alert["notes"]] == [
        "[WARNING, was CRITICAL",
        "[ACKNOWLEDGED",
        "[RESOLVED",
    ]


def test_jsm_refuses_another_key() -> None:
    """A wrong key is a 403, which is final."""
    with serving(JsmOperations("right")) as url:
        target = jsm.JsmTarget(api_key="wrong", url=f"{url}/jsm/ops/integration/v2/alerts")
        assert send(jsm.trigger(story_briefing(TRIGGER), target)[0]).status_code == 403


def test_slack_has_one_thread_by_what_the_first_answer_named() -> None:
    """Follow-ups reply to the first message; only the end is shown in the channel too, a calming is not."""
    product = Slack("xoxb-1")
    with serving(product) as url:
        target = slack.SlackTarget(url=f"{url}/api/chat.postMessage", token="xoxb-1", channel="C024BE91L")
        first = send(slack.trigger(story_briefing(TRIGGER), target))
        thread = slack.message_reference(first.content)
        assert slack.refusal(first.content) is None
        target = replace(target, thread=thread)
        for event in EVENTS[1:]:
            assert slack.refusal(send(getattr(slack, event)(story_briefing(event), target)).content) is None
    root, *replies = product.messages
    assert "thread_ts" not in root
    assert {reply["thread_ts"] for reply in replies} == {root["ts"]} == {thread}
    assert [reply["reply_broadcast"] for reply in replies] == [False, False, True]


def test_slack_refuses_with_status_200() -> None:
    """The Web API's `ok: false` is a refusal: final for a wrong token or channel."""
    with serving(Slack("xoxb-1")) as url:
        for token, channel, reason in (("no", "C024BE91L", "invalid_auth"), ("xoxb-1", "C0", "channel_not_found")):
            target = slack.SlackTarget(url=f"{url}/api/chat.postMessage", token=token, channel=channel)
            answer = send(slack.trigger(story_briefing(TRIGGER), target))
            assert answer.status_code == 200
            assert slack.refusal(answer.content) == (reason, False)
    assert slack.refusal(b'{"ok": false, "error": "ratelimited"}') == ("ratelimited", True)


def test_a_slack_webhook_needs_no_token() -> None:
    """Its address is the secret; it answers `ok` and names no message, so follow-ups are messages of their own."""
    product = Slack("")
    with serving(product) as url:
        target = slack.SlackTarget(url=f"{url}/services/T0/B0/secret")
        assert statuses(lambda event, briefing: getattr(slack, event)(briefing, target)) == [200] * 4
    assert slack.message_reference(b"ok") == ""
    assert slack.refusal(b"ok") is None
    assert not any({"channel", "thread_ts"} & set(message) for message in product.messages)


def test_teams_gets_a_card_for_each_message() -> None:
    """All have the incident's id; what is over is green."""
    product = Teams()
    with serving(product) as url:
        target = teams.TeamsTarget(url=f"{url}/workflows/abc?sig=secret")
        assert statuses(lambda event, briefing: getattr(teams, event)(briefing, target)) == [202] * 4
    titles = [card["body"][0]["inlines"][0] for card in product.cards]
    assert [title["color"] for title in titles] == ["Attention", "Accent", "Good", "Good"]
    assert all(INCIDENT in msgspec.json.encode(card).decode() for card in product.cards)

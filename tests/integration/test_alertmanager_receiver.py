"""Incidents in a real Alertmanager: open while they are open, resolved at their end, on peers that were away too."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from alerting.notifications.briefing import briefing
from alerting.receivers.alertmanager import RESEND_MILLIS, RESOLVED_MILLIS, AlertmanagerTarget, Level, alerts, post
from alerting.receivers.alertmanager_body import NEVER, alertmanager_body
from monitor.clock import iso_utc
from monitor.types import NoticeEvent
from tests.fakes.on_call_products import Arrived, Reply, serving
from tests.models.messages import INCIDENT, NAME_NUMBERS, NASTY_NAMES, OPENED, ROW, named, story_briefing
from tests.services.alertmanager import alertmanager, alerts_of
from tests.services.waiting import wait_until

HOUR = 3_600_000
LABELS = {"alertname": "DriftlineDrift", "kind": "drift", "model": "credit", "namespace": "default", "team": "credit"}


class Bridge:
    """A webhook that keeps what Alertmanager sends on."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def answer(self, arrived: Arrived) -> Reply:
        self.bodies.append(arrived.content)
        return Reply(200)


def now() -> int:
    return time.time_ns() // 1_000_000


def level(event: NoticeEvent, *, started_at: int, ended_at: int | None = None) -> Level:
    return Level(briefing=story_briefing(event), started_at=started_at, ended_at=ended_at)


def post_levels(url: str, *levels: Level, at: int | None = None) -> None:
    """Post what is due of *levels* as one round of the loop does; Alertmanager must take it."""
    target = AlertmanagerTarget(url=url, labels={"team": "credit"})
    request = post(target, alerts(levels, target, now_millis=at or now()))
    answer = httpx2.request(
        request.method, request.url, content=request.body, headers=dict(request.headers), trust_env=False, timeout=30
    )
    assert (answer.status_code, answer.text) == (200, "")


@pytest.fixture
def peers(tmp_path: Path, alertmanager_program: str) -> Iterator[tuple[str, str]]:
    with alertmanager(tmp_path / "one") as first, alertmanager(tmp_path / "two") as second:
        yield first, second


def test_an_incident_is_one_alert_from_open_to_resolved(peers: tuple[str, str]) -> None:
    """Both peers: calming changes its annotations and not the alert; its end resolves it, also where it was unknown."""
    started = now() - HOUR
    first, second = peers
    post_levels(first, level(NoticeEvent.TRIGGER, started_at=started))
    post_levels(first, level(NoticeEvent.UPDATE, started_at=started))
    (alert,) = alerts_of(first)
    assert alert["labels"] == LABELS
    assert alert["status"]["state"] in ("active", "unprocessed")
    assert alert["annotations"]["how_bad"] == "warning (was critical), look at it in working hours"
    assert alert["annotations"]["incident"] == INCIDENT
    assert alert["startsAt"] == f"{iso_utc(started).removesuffix('Z').split('.')[0]}.{started % 1000:03d}Z"
    ended = level(NoticeEvent.END, started_at=started, ended_at=now())
    for peer in (first, second):  # the second was away and never had it open
        post_levels(peer, ended)
        wait_until(lambda peer=peer: alerts_of(peer) == [], f"{peer} to have it resolved")


def test_what_is_no_longer_posted_ends_by_itself(peers: tuple[str, str]) -> None:
    """When the alerter is away for good, the alert ends four re-sends after the last: it does not stand for ever."""
    first, _ = peers
    post_levels(first, level(NoticeEvent.TRIGGER, started_at=now() - HOUR), at=now() - 4 * RESEND_MILLIS + 1500)
    assert len(alerts_of(first)) == 1
    wait_until(lambda: alerts_of(first) == [], "the alert to end")


def test_an_end_is_posted_for_a_quarter_of_an_hour() -> None:
    """Long enough for a peer that restarts; not for ever."""
    target, ended = AlertmanagerTarget(url="http://am:9093"), now()
    resolved = level(NoticeEvent.END, started_at=ended - HOUR, ended_at=ended)
    assert len(alerts([resolved], target, now_millis=ended + RESOLVED_MILLIS)) == 1
    assert alerts([resolved], target, now_millis=ended + RESOLVED_MILLIS + 1) == []


def test_versions_share_an_alert_that_ends_with_the_last() -> None:
    """One of two incidents of a kind ended: the alert goes on, with the words of the one that is open."""
    target, moment = AlertmanagerTarget(url="http://am:9093"), now()
    over = level(NoticeEvent.END, started_at=moment - 2 * HOUR, ended_at=moment)
    still = level(NoticeEvent.TRIGGER, started_at=moment - HOUR)
    (alert,) = alerts([over, still], target, now_millis=moment)
    assert alert["endsAt"] == iso_utc(moment + 4 * RESEND_MILLIS)
    assert alert["annotations"]["tier"] == "critical"
    (alert,) = alerts([over], target, now_millis=moment)
    assert alert["endsAt"] == iso_utc(moment)


@pytest.mark.parametrize("name", NASTY_NAMES, ids=NAME_NUMBERS)
def test_a_name_is_taken_as_it_is(peers: tuple[str, str], name: str) -> None:
    """Alertmanager takes any text as a label's value: no name of a model keeps its alerts out."""
    started = now() - HOUR
    said = briefing(named(OPENED, name), identifier=ROW)
    post_levels(peers[0], Level(briefing=said, started_at=started))
    (alert,) = alerts_of(peers[0])
    assert alert["labels"]["model"] == said.name


def test_the_webhooks_other_body_is_that_of_a_real_alertmanager(tmp_path: Path, alertmanager_program: str) -> None:
    """Field by field what Alertmanager itself sends of the same incident, but for its own addresses and ids."""
    bridge, started = Bridge(), now() - HOUR
    ours = {"firing": NoticeEvent.TRIGGER, "resolved": NoticeEvent.END}
    with serving(bridge) as url, alertmanager(tmp_path / "am", webhook=url) as peer:
        post_levels(peer, level(NoticeEvent.TRIGGER, started_at=started))
        wait_until(lambda: len(bridge.bodies) >= 1, "the alert to be sent on")
        post_levels(peer, level(NoticeEvent.END, started_at=started, ended_at=now()))
        wait_until(lambda: bridge.bodies[-1]["status"] == "resolved", "its end to be sent on")
    for theirs in (bridge.bodies[0], bridge.bodies[-1]):
        body = msgspec.json.decode(
            msgspec.json.encode(alertmanager_body([story_briefing(ours[theirs["status"]])], receiver="bridge"))
        )
        assert shape(body) == shape(theirs)
        same = ("version", "status", "receiver", "truncatedAlerts", "commonAnnotations")
        assert {name: body[name] for name in same} == {name: theirs[name] for name in same}
        (alert,), (their_alert,) = body["alerts"], theirs["alerts"]
        assert alert["annotations"] == their_alert["annotations"]
        assert alert["labels"] | {"team": "credit"} == their_alert["labels"]
        assert (alert["endsAt"] == NEVER) == (their_alert["endsAt"] == NEVER)


def shape(content: Any) -> Any:
    """Return keys and types of a JSON value, of free labels only that they are texts."""
    if isinstance(content, dict):
        if all(isinstance(value, str) for value in content.values()) and "alertname" in content:
            return "labels"
        return {key: shape(value) for key, value in content.items()}
    if isinstance(content, list):
        return [shape(value) for value in content]
    return type(content).__name__

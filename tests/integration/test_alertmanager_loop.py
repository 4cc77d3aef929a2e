"""The loop that posts incidents to Alertmanager, on a real Postgres: what stands, what ended, peers that are away."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.alertmanager_loop import post_alerts, standing_alerts
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.receivers.alertmanager import RESEND_MILLIS, RESOLVED_MILLIS
from alerting.receivers.request import HttpRequest
from monitor.clock import iso_utc
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.schema import incident
from monitor.units import MINUTE_MILLIS
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import apply_story

T0 = 1_780_000_200_000
WIDE = "freshness: 9999d\n  close_after: 2"
ONE, TWO = "http://alertmanager-0:9093", "http://alertmanager-1:9093"
EVERYTHING = f"{{name: all, type: alertmanager, urls: ['{ONE}', '{TWO}'], labels: {{team: credit}}}}"
PAGES = f"{{name: pages, type: alertmanager, urls: ['{ONE}'], labels: {{severity: page}}, from_tier: critical}}"


@dataclass(slots=True)
class Peers:
    """Takes what is posted, by URL; those in *away* answer nothing."""

    away: frozenset[str] = frozenset()
    posted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def send(self, request: HttpRequest) -> Attempt:
        url = request.url.removesuffix("/api/v2/alerts")
        if url in self.away:
            return Attempt(outcome=AttemptOutcome.RETRY, error="connection refused")
        self.posted[url] = msgspec.json.decode(request.body)
        return Attempt(outcome=AttemptOutcome.DONE, status=200)


def play(engine: Engine, applied: AppliedModel, story: ScriptedEvaluator, letters: str, *, start: int) -> None:
    story.play(applied, letters, start=start)
    advance_model(engine, applied, story, Settings())


def posted(
    engine: Engine, applied: AppliedModel, *, later: int = 0, peers: Peers | None = None
) -> tuple[dict[str, list[dict[str, Any]]], tuple[str, ...], int]:
    """Return what one round posts to each peer, which problems it notes, and its time."""
    peers = peers or Peers()
    with engine.connect() as connection:
        now = database_now_millis(connection) + later
        standing = standing_alerts(connection, [applied], now_millis=now)
    problems = post_alerts(standing, peers.send, now_millis=now)
    return peers.posted, problems, now


def test_an_incident_is_posted_while_it_stands_and_its_end_for_a_quarter_of_an_hour(engine: Engine) -> None:
    """
    w w w a a a . . . . . .     windows
        |-------|               posted with endsAt four re-sends ahead
                |---15 min---|  posted with the time of its end, then no more
    """
    applied = apply_story(engine, receivers=[EVERYTHING], alerting=WIDE)
    story = ScriptedEvaluator(at_once=2)
    assert posted(engine, applied)[0] == {ONE: [], TWO: []}
    play(engine, applied, story, "wwwaaa", start=T0)
    content, problems, now = posted(engine, applied)
    (alert,) = content[ONE]
    assert (content[TWO], problems) == ([alert], ())
    assert alert["labels"] == {
        "alertname": "DriftlineDrift",
        "kind": "drift",
        "model": "credit",
        "namespace": "default",
        "team": "credit",
    }
    assert alert["annotations"]["tier"] == "alert"
    assert alert["annotations"]["owner"] == "credit team"
    assert alert["endsAt"] == iso_utc(now + 4 * RESEND_MILLIS)
    play(engine, applied, story, "......", start=T0 + 6 * 5 * MINUTE_MILLIS)
    content, _, now = posted(engine, applied)
    (ended,) = content[ONE]
    assert ended["labels"] == alert["labels"]
    assert ended["startsAt"] == alert["startsAt"]
    assert ended["endsAt"] <= iso_utc(now)
    assert ended["annotations"]["summary"].startswith("[RESOLVED]")
    assert posted(engine, applied, later=RESOLVED_MILLIS + 60_000)[0] == {ONE: [], TWO: []}


def test_an_alert_of_pages_ends_when_the_incident_calms_below_them(engine: Engine) -> None:
    """A receiver of `from_tier: critical` has an alert of its own for as long as people are notified of critical."""
    applied = apply_story(engine, receivers=[EVERYTHING, PAGES], alerting=WIDE)
    story = ScriptedEvaluator(at_once=2)
    play(engine, applied, story, "www", start=T0)
    assert len(posted(engine, applied)[0][ONE]) == 1
    play(engine, applied, story, "ccc", start=T0 + 3 * 5 * MINUTE_MILLIS)
    content, _, now = posted(engine, applied)
    assert [alert["endsAt"] for alert in content[ONE]] == [iso_utc(now + 4 * RESEND_MILLIS)] * 2
    play(engine, applied, story, "wwwwww", start=T0 + 6 * 5 * MINUTE_MILLIS)
    content, _, now = posted(engine, applied)
    ends = {alert["labels"].get("severity"): alert["endsAt"] for alert in content[ONE]}
    assert ends[None] == iso_utc(now + 4 * RESEND_MILLIS)
    assert ends["page"] <= iso_utc(now)


def test_a_peer_that_is_away_is_named_and_keeps_nothing_from_the_others(engine: Engine) -> None:
    """The next round has all that stands: nothing is stored for it."""
    applied = apply_story(engine, receivers=[EVERYTHING], alerting=WIDE)
    play(engine, applied, ScriptedEvaluator(at_once=2), "www", start=T0)
    content, problems, _ = posted(engine, applied, peers=Peers(away=frozenset({ONE})))
    assert list(content) == [TWO]
    assert problems == ("Alertmanager at alertmanager-0:9093 does not take the alerts: connection refused",)


def test_what_people_are_not_notified_of_fires_nowhere(engine: Engine) -> None:
    """Windows of long ago: the incident is true and open and wakes nobody; an end of nothing is no alert."""
    applied = apply_story(engine, receivers=[EVERYTHING], alerting="freshness: 10m\n  close_after: 2")
    play(engine, applied, ScriptedEvaluator(at_once=2), "wwwaaa", start=T0)
    content, _, now = posted(engine, applied)
    assert all(alert["endsAt"] <= iso_utc(now) for alert in content[ONE])
    assert posted(engine, applied, later=RESOLVED_MILLIS + 60_000)[0] == {ONE: [], TWO: []}


def test_one_model_that_cannot_be_read_keeps_no_alert_of_another(engine: Engine) -> None:
    """Its state is of another program: it is a problem with its name, and the other model's alert stands."""
    broken, fine = (apply_story(engine, model=name, receivers=[EVERYTHING], alerting=WIDE) for name in ("a", "b"))
    for applied in (broken, fine):
        play(engine, applied, ScriptedEvaluator(at_once=2), "www", start=T0)
    with engine.begin() as connection:
        connection.execute(sa.update(incident).where(incident.c.model_id == broken.model_id).values(state="{}"))
    with engine.connect() as connection:
        now = database_now_millis(connection)
        standing = standing_alerts(connection, [broken, fine], now_millis=now)
    peers = Peers()
    assert post_alerts(standing, peers.send, now_millis=now) == ()
    assert [alert["labels"]["model"] for alert in peers.posted[ONE]] == ["b"]
    (problem,) = standing.problems
    assert problem.startswith("model a: its alerts are not posted")

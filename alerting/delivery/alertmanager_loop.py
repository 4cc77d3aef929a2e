"""Posts the incidents of all models to their Alertmanagers, each minute, to every peer: what stands, and what ended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from alerting.actions.rollback_targets import serving_period
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.incidents.state import decode_state
from alerting.notifications.briefing import briefing
from alerting.notifications.standing import fires, may_have_fired, standing_message
from alerting.receivers.alertmanager import RESOLVED_MILLIS, AlertmanagerTarget, Level, alerts, post
from alerting.receivers.request import HttpRequest
from monitor.deployments import Period
from monitor.spec.model import ModelSpec
from monitor.store.configuration import AppliedModel
from monitor.store.deployments import deployments_history
from monitor.store.incidents import IncidentLevel, incident_levels
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS, millis

log = structlog.get_logger()

Send = Callable[[HttpRequest], Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerReceiver:
    """One receiver of a spec: every peer is posted the same."""

    urls: tuple[str, ...]
    labels: Mapping[str, str]
    from_tier: Tier


Receivers = Callable[[ModelSpec], Sequence[AlertmanagerReceiver]]


@dataclass(frozen=True, slots=True)
class _Posting:
    target: AlertmanagerTarget
    levels: tuple[Level, ...]


def post_alerts(
    connection: sa.Connection, models: Sequence[AppliedModel], receivers: Receivers, send: Send, *, now_millis: int
) -> tuple[str, ...]:
    """Post one round; return what is wrong with peers that did not take it, for the notices of `/healthz`.

    Every alerter does so: the same alert twice is one alert. Nothing is stored, and nothing is lost with a round: the
    next one has all that stands, and every end for a quarter of an hour.
    """
    by_peer: dict[str, list[_Posting]] = {}
    for applied in models:
        for posting in _postings(connection, applied, receivers(applied.spec), now_millis=now_millis):
            by_peer.setdefault(posting.target.url, []).append(posting)
    problems = []
    for url, postings in sorted(by_peer.items()):
        content = [
            alert for posting in postings for alert in alerts(posting.levels, posting.target, now_millis=now_millis)
        ]
        attempt = send(post(postings[0].target, content))
        if attempt.outcome is not AttemptOutcome.DONE:
            said = attempt.error or f"HTTP {attempt.status}"
            log.warning("alerts.not_posted", alerts=len(content), status=attempt.status, error=attempt.error)
            problems.append(f"Alertmanager at {_host(url)} does not take the alerts: {said}")
    return tuple(problems)


def _postings(
    connection: sa.Connection, applied: AppliedModel, receivers: Sequence[AlertmanagerReceiver], *, now_millis: int
) -> Iterator[_Posting]:
    if not receivers:
        return
    rows = incident_levels(connection, applied.model_id, changed_since=now_millis - RESOLVED_MILLIS)
    deployments = deployments_history(connection, applied.model_id) if rows else ()
    history = [deployment for deployment in deployments if deployment.contradicted_at is None]
    for receiver in receivers:
        levels = [
            level
            for row in rows
            if (level := _level(applied, row, serving_period(history, row.version), receiver, now_millis=now_millis))
        ]
        for url in receiver.urls:
            yield _Posting(AlertmanagerTarget(url=url, labels=receiver.labels), tuple(levels))


def _level(
    applied: AppliedModel,
    row: IncidentLevel,
    period: Period | None,
    receiver: AlertmanagerReceiver,
    *,
    now_millis: int,
) -> Level | None:
    state = decode_state(row.state)
    firing = fires(state, from_tier=receiver.from_tier)
    if not firing and not may_have_fired(state, from_tier=receiver.from_tier):
        return None
    look_back = millis(applied.spec.actions.rollback.look_back)
    recent = period if period is not None and state.last_end - period.start <= look_back else None
    message = standing_message(applied.key, applied.spec.alerting, state, changed=recent, now_millis=now_millis)
    started_at = state.first_end - min(state.window_ends, default=0) * MINUTE_MILLIS
    return Level(
        briefing=briefing(message, identifier=state.id),
        started_at=min(started_at, now_millis),
        ended_at=None if firing else row.changed_at,
    )


def _host(url: str) -> str:
    """Return where *url* leads, without what may be a secret in it."""
    return url.split("://", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1]

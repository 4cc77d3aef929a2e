"""Posts the incidents of all models to their Alertmanagers, each minute, to every peer: what stands, and what ended."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
import structlog

from alerting.actions.rollback_targets import serving_period
from alerting.delivery.retry import Attempt, AttemptOutcome
from alerting.delivery.send import Request, send
from alerting.incidents.state import decode_state
from alerting.notifications.briefing import briefing
from alerting.notifications.standing import fires, may_have_fired, standing_message
from alerting.receivers.alertmanager import RESEND_MILLIS, RESOLVED_MILLIS, AlertmanagerTarget, Level, alerts, post
from alerting.receivers.request import HttpRequest
from alerting.receivers.webhook import WebhookSettings
from monitor.clock import monotonic_seconds
from monitor.deployments import Period
from monitor.errors import UnavailableError
from monitor.spec.actions import ReceiverSpec
from monitor.store.configuration import AppliedModel, Configuration, load_configuration, read_generation
from monitor.store.database_clock import database_now_millis
from monitor.store.deployments import deployments_history
from monitor.store.incidents import IncidentLevel, incident_levels
from monitor.store.outage import named_outage
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS, millis

log = structlog.get_logger()

Send = Callable[[HttpRequest], Attempt]


@dataclass(frozen=True, slots=True)
class _Posting:
    target: AlertmanagerTarget
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class StandingAlerts:
    """What each peer is to hold, by its URL, and of which models that cannot be said, in words."""

    by_peer: dict[str, list[_Posting]]
    problems: tuple[str, ...] = ()


class AlertmanagerLoop:
    """The thread that posts, from the first round on until *stop* is set; `problems` are those of its last round."""

    def __init__(
        self,
        engine: sa.Engine,
        settings: WebhookSettings,
        *,
        stop: threading.Event,
        now: Callable[[sa.Connection], int] = database_now_millis,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._stop = stop
        self._now = now
        self._configuration: Configuration | None = None
        self._thread = threading.Thread(target=self._run, name="alertmanager", daemon=True)
        self.problems: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(self._settings.timeout_seconds + 5)

    def round(self) -> None:
        """Post once to every Alertmanager of every spec in force; nothing of the database is held meanwhile."""
        with self._engine.connect() as connection:
            now = self._now(connection)
            standing = standing_alerts(connection, self._models(connection), now_millis=now)
        self.problems = (*standing.problems, *post_alerts(standing, self._send, now_millis=now))

    def _models(self, connection: sa.Connection) -> tuple[AppliedModel, ...]:
        """Return the applied models, read again only when a spec was applied: there may be thousands."""
        known = self._configuration
        if known is None or known.generation != read_generation(connection):
            known = self._configuration = load_configuration(connection)
        return known.models

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with named_outage(self._engine, "posting alerts"):
                    self.round()
            except UnavailableError as error:
                # The alerts stand until four re-sends are over; the next round has all that stands then.
                log.warning("alerts.not_posted", error=str(error))
            except Exception:
                # One model's fault must not end the loop; it is named again with each round.
                log.exception("alerts.round_failed")
            self._stop.wait(RESEND_MILLIS / 1000)

    def _send(self, request: HttpRequest) -> Attempt:
        deadline = monotonic_seconds() + self._settings.timeout_seconds
        return send(
            Request(url=request.url, body=request.body, headers=request.headers, method=request.method),
            deadline=deadline,
            allow_private=self._settings.allow_private,
            targets=self._settings.targets,
            ca_file=self._settings.ca_file,
        )


def standing_alerts(connection: sa.Connection, models: Sequence[AppliedModel], *, now_millis: int) -> StandingAlerts:
    """Return what every peer is to hold now; what is wrong with one model is a problem and keeps nothing of others."""
    by_peer: dict[str, list[_Posting]] = {}
    problems = []
    for applied in models:
        try:
            postings = tuple(_postings(connection, applied, now_millis=now_millis))
        except sa.exc.SQLAlchemyError:
            raise  # of the database, not of the model: the next round looks again
        except Exception as error:
            log.exception("alerts.unreadable", model=str(applied.key))
            problems.append(f"model {applied.key}: its alerts are not posted to Alertmanager: {error!r}")
            continue
        for posting in postings:
            by_peer.setdefault(posting.target.url, []).append(posting)
    return StandingAlerts(by_peer, tuple(problems))


def post_alerts(standing: StandingAlerts, deliver: Send, *, now_millis: int) -> tuple[str, ...]:
    """Post one round; return what is wrong with peers that did not take it, for the notices of `/healthz`.

    Every alerter does so: the same alert twice is one alert. Nothing is stored, and nothing is lost with a round: the
    next one has all that stands, and every end for a quarter of an hour.
    """
    problems = []
    for url, postings in sorted(standing.by_peer.items()):
        content = [
            alert for posting in postings for alert in alerts(posting.levels, posting.target, now_millis=now_millis)
        ]
        attempt = deliver(post(postings[0].target, content))
        if attempt.outcome is not AttemptOutcome.DONE:
            said = attempt.error or f"HTTP {attempt.status}"
            log.warning(
                "alerts.not_posted", peer=_host(url), alerts=len(content), status=attempt.status, error=attempt.error
            )
            problems.append(f"Alertmanager at {_host(url)} does not take the alerts: {said}")
    return tuple(problems)


def _postings(connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> Iterator[_Posting]:
    receivers = [receiver for receiver in applied.spec.alerting.receivers if not receiver.type.queued]
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
    receiver: ReceiverSpec,
    *,
    now_millis: int,
) -> Level | None:
    state = decode_state(row.state)
    from_tier = Tier.of_word(receiver.from_tier)
    firing = fires(state, from_tier=from_tier)
    if not firing and not may_have_fired(state, from_tier=from_tier):
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

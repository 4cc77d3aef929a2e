"""Retraining and rollback requests: their bodies and the ids of actions; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid5

import msgspec

from alerting.actions.reasons import Refusal
from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import NAMESPACE, IncidentState
from alerting.notifications.message import ModelName
from monitor.action_holds import ActionHold
from monitor.clock import iso_utc
from monitor.types import ActionKind, ModelKey, Scale
from monitor.units import MINUTE_MILLIS


class RequestReason(msgspec.Struct, frozen=True, kw_only=True):
    """The finding that made Driftline ask; statistics of counts, never a feature's value."""

    kind: str
    columns: tuple[str, ...]
    statistic: str
    value: float
    bound: float
    threshold: float
    window: tuple[str, str]
    sentence: str


class TimeSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open ``[start, end)`` of event time."""

    start: str
    end: str


class RetrainingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `model.retrain.requested`."""

    type: str
    action_id: str
    incident_id: str
    dry_run: bool
    model: ModelName
    reason: RequestReason
    training_window: TimeSpan
    evidence_url: str | None
    not_after: str


class RollbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `model.rollback.requested`: serve *to_version* again if *from_version* still serves."""

    type: str
    action_id: str
    incident_id: str
    dry_run: bool
    model: ModelName
    from_version: str
    to_version: str
    reason: RequestReason
    not_after: str


Request = RetrainingRequest | RollbackRequest


def action_id(incident_id: str, kind: str, attempt: int) -> str:
    """Return the UUIDv5 of (incident, kind, attempt number); attempts count from 1."""
    return str(uuid5(NAMESPACE, "\x1f".join(("action", incident_id, kind, str(attempt)))))


def refused_action_id(incident_id: str, kind: str, reason: Refusal, *, hold: ActionHold | None = None) -> str:
    """Return the one id of a refusal, however often it is repeated; one of each *hold*."""
    parts = ("refused", incident_id, kind, reason.value) + (() if hold is None else (str(hold.id),))
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """What both requests share: the model, its incident, the window that made it ask, the deadline (ms)."""

    action_id: str
    model: ModelKey
    state: IncidentState
    facts: WindowObservation
    not_after: int
    dry_run: bool

    @property
    def model_name(self) -> ModelName:
        return ModelName(namespace=self.model.namespace, name=self.model.name, version=self.state.version)

    @property
    def reason(self) -> RequestReason:
        """The worst finding of the incident, and every column that has one."""
        findings = self.state.findings
        worst = findings[0]
        return RequestReason(
            kind=self.state.kind.value,
            columns=tuple(dict.fromkeys(finding.column for finding in findings if finding.column)),
            statistic=worst.statistic,
            value=worst.value,
            bound=worst.bound,
            threshold=worst.threshold,
            window=(iso_utc(self.facts.end - self.facts.length * MINUTE_MILLIS), iso_utc(self.facts.end)),
            sentence=worst.sentence,
        )


def retraining_request(head: RequestHead, *, scales: Sequence[Scale]) -> RetrainingRequest:
    """Return the request; it trains on the longest scale's span, or on all since the incident began if longer."""
    longest = max(scale.length for scale in scales) * MINUTE_MILLIS
    shortest = min(scale.length for scale in scales) * MINUTE_MILLIS
    start = min(head.facts.end - longest, head.state.opened_end - shortest)
    return RetrainingRequest(
        type="model.retrain.requested",
        action_id=head.action_id,
        incident_id=head.state.id,
        dry_run=head.dry_run,
        model=head.model_name,
        reason=head.reason,
        training_window=TimeSpan(start=iso_utc(start), end=iso_utc(head.facts.end)),
        evidence_url=None,
        not_after=iso_utc(head.not_after),
    )


def rollback_request(head: RequestHead, *, to_version: str) -> RollbackRequest:
    """Return the request."""
    return RollbackRequest(
        type="model.rollback.requested",
        action_id=head.action_id,
        incident_id=head.state.id,
        dry_run=head.dry_run,
        model=head.model_name,
        from_version=head.state.version,
        to_version=to_version,
        reason=head.reason,
        not_after=iso_utc(head.not_after),
    )


def encode_request(request: Request) -> bytes:
    """Return the exact bytes that are signed and sent."""
    return msgspec.json.encode(request)


def request_with_deadline(stored: str, *, kind: ActionKind, not_after: int) -> Request:
    """Return a stored request with another deadline (ms): that of its sending, not of its approval."""
    if kind is ActionKind.RETRAINING:
        retraining = msgspec.json.decode(stored, type=RetrainingRequest)
        return msgspec.structs.replace(retraining, not_after=iso_utc(not_after))
    rollback = msgspec.json.decode(stored, type=RollbackRequest)
    return msgspec.structs.replace(rollback, not_after=iso_utc(not_after))

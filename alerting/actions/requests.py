"""Builds what is asked of other systems: the retraining and rollback requests, their ids and stored rows; pure."""

from collections.abc import Sequence
from uuid import uuid5

import msgspec

from alerting.actions.guard import Refusal
from alerting.incidents.state import NAMESPACE, IncidentState
from alerting.notifications.message import ModelName
from monitor.clock import iso_utc
from monitor.results import Finding
from monitor.types import ModelKey, Scale
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


def refused_id(incident_id: str, kind: str, reason: Refusal) -> str:
    """Return the one id of a refusal, however often it is repeated."""
    return str(uuid5(NAMESPACE, "\x1f".join(("refused", incident_id, kind, reason.value))))


def request_reason(state: IncidentState, *, window_end: int, length: int) -> RequestReason:
    """Return the worst finding of the incident, and every column that has one."""
    findings: Sequence[Finding] = state.findings
    worst = findings[0]
    return RequestReason(
        kind=state.kind.value,
        columns=tuple(dict.fromkeys(finding.column for finding in findings if finding.column)),
        statistic=worst.statistic,
        value=worst.value,
        bound=worst.bound,
        threshold=worst.threshold,
        window=(iso_utc(window_end - length * MINUTE_MILLIS), iso_utc(window_end)),
        sentence=worst.sentence,
    )


def retraining_request(
    *,
    state: IncidentState,
    model: ModelKey,
    identifier: str,
    reason: RequestReason,
    scales: Sequence[Scale],
    window_end: int,
    not_after: int,
    dry_run: bool,
) -> RetrainingRequest:
    """Return the request; it trains on the longest scale's span, or on all since the incident began if longer."""
    longest = max(scale.length for scale in scales) * MINUTE_MILLIS
    shortest = min(scale.length for scale in scales) * MINUTE_MILLIS
    start = min(window_end - longest, state.opened_end - shortest)
    return RetrainingRequest(
        type="model.retrain.requested",
        action_id=identifier,
        incident_id=state.id,
        dry_run=dry_run,
        model=ModelName(namespace=model.namespace, name=model.name, version=state.version),
        reason=reason,
        training_window=TimeSpan(start=iso_utc(start), end=iso_utc(window_end)),
        evidence_url=None,
        not_after=iso_utc(not_after),
    )


def rollback_request(
    *,
    state: IncidentState,
    model: ModelKey,
    identifier: str,
    reason: RequestReason,
    to_version: str,
    not_after: int,
    dry_run: bool,
) -> RollbackRequest:
    """Return the request."""
    return RollbackRequest(
        type="model.rollback.requested",
        action_id=identifier,
        incident_id=state.id,
        dry_run=dry_run,
        model=ModelName(namespace=model.namespace, name=model.name, version=state.version),
        from_version=state.version,
        to_version=to_version,
        reason=reason,
        not_after=iso_utc(not_after),
    )


def encode_request(request: Request) -> bytes:
    """Return the exact bytes that are signed and sent."""
    return msgspec.json.encode(request)

"""Where a waiting row goes by the spec that is in force now: to its receiver, or nowhere any more."""

import threading
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from alerting.notifications.outbox_rows import action_endpoint, endpoints_of, receiver_endpoint
from monitor.spec.actions import ActionMode, SecretSource
from monitor.spec.model import ModelSpec
from monitor.store.actions import approved_by
from monitor.store.configuration import AppliedModel, load_configuration, read_generation
from monitor.store.endpoints import EndpointSpec, ensure_endpoints
from monitor.store.outbox import Lease, retry_now
from monitor.types import ActionKind, EndpointRole, ModelKey

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The spec no longer wants it sent, for people because of *why*."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say now where it goes, for people because of *why*; it waits."""

    why: str


@dataclass(frozen=True, slots=True)
class _Known:
    generation: int
    models: dict[int, AppliedModel]
    unreadable: dict[int, str]


class Destinations:
    """The endpoints of every applied spec, read again when a spec was applied; used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._refreshed: _Known | None = None

    def of(self, connection: sa.Connection, lease: Lease) -> EndpointSpec | Withdrawn | Unknown:
        """Return where the leased row goes now."""
        if lease.model_id is None:
            return _as_stored(lease)
        known = self._read(connection)
        if problem := known.unreadable.get(lease.model_id):
            return Unknown(problem)
        applied = known.models.get(lease.model_id)
        if applied is None:
            return Withdrawn("its model is not applied any more")
        role, name = _parts(lease, applied.key)
        if role is EndpointRole.ACTIONS:
            return _of_action(connection, lease, applied.spec, ActionKind(name))
        receiver = next((receiver for receiver in applied.spec.alerting.receivers if receiver.name == name), None)
        if receiver is None:
            return Withdrawn(f"the spec of {applied.key} has no receiver {name} any more")
        return receiver_endpoint(applied.spec, receiver)

    def refresh(self, connection: sa.Connection, *, now_millis: int) -> None:
        """When a spec was applied since the last call: bring the stored endpoints to it, and retry what waits there.

        The wait of a row may be hours; a corrected URL should not take that long, nor a secret for which the alerter
        was restarted: the first call retries all.
        """
        known = self._read(connection)
        before = self._refreshed
        if before is not None and before.generation == known.generation:
            return
        for model_id, applied in known.models.items():
            ensure_endpoints(connection, endpoints_of(applied.spec), model_id=model_id)
        changed = None if before is None else _endpoints(before) ^ _endpoints(known)
        places = None if changed is None else {(model_id, role, name) for model_id, role, name, _ in changed}
        if rows := retry_now(connection, places, now_millis=now_millis):
            log.info("deliveries.retried", rows=rows, reason="started" if places is None else "a spec was applied")
        self._refreshed = known

    def _read(self, connection: sa.Connection) -> _Known:
        """Return the configuration in force."""
        generation = read_generation(connection)
        with self._lock:
            if self._known is None or self._known.generation != generation:
                loaded = load_configuration(connection)
                self._known = _Known(
                    loaded.generation,
                    {applied.model_id: applied for applied in loaded.models},
                    {model.model_id: model.problem for model in loaded.unreadable},
                )
            return self._known


def _endpoints(known: _Known) -> set[tuple[int, EndpointRole, str, str]]:
    """Return model, role and name of every endpoint, with all that says where and whether something is sent there."""
    endpoints = set()
    for model_id, applied in known.models.items():
        modes = {kind.value: applied.spec.actions.of(kind).mode.value for kind in ActionKind}
        for spec in endpoints_of(applied.spec):
            mode = modes.get(spec.local_name, "") if spec.role is EndpointRole.ACTIONS else ""
            endpoints.add((model_id, spec.role, spec.local_name, f"{spec} {mode}"))
    return endpoints


def _of_action(connection: sa.Connection, lease: Lease, spec: ModelSpec, kind: ActionKind) -> EndpointSpec | Withdrawn:
    mode = spec.actions.of(kind).mode
    if not mode.sends:
        return Withdrawn(f"actions.{kind}.mode is {mode} now")
    action_id = lease.effect.action_id
    if mode is ActionMode.APPROVE and action_id is not None and approved_by(connection, action_id) is None:
        return Withdrawn(f"actions.{kind}.mode is approve now, and nobody approved it")
    return action_endpoint(spec, kind)


def _parts(lease: Lease, key: ModelKey) -> tuple[EndpointRole, str]:
    """Return role and name in the spec; the program before stored neither, but in the endpoint's name."""
    place = lease.place
    if place.role is not None and place.local_name is not None:
        return place.role, place.local_name
    role, _, name = place.name.removeprefix(f"{key}/").partition("/")
    return EndpointRole(role), name


def _as_stored(lease: Lease) -> EndpointSpec:
    """Return the endpoint of a row of the program before, whose model nothing names."""
    place = lease.place
    return EndpointSpec(
        name=place.name,
        role=place.role or EndpointRole.RECEIVERS,
        local_name=place.local_name or place.name,
        type=place.type,
        url=place.url,
        secrets=(SecretSource(env=place.secret_env),) if place.secret_env else (),
    )

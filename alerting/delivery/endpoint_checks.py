"""Names endpoints of a spec that nothing can be sent to, before it is tried: unreadable secrets, unusable URLs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from alerting.delivery.keys import read_key
from alerting.delivery.send import target_problem
from alerting.delivery.signing import read_secret
from alerting.notifications.outbox_rows import action_endpoint, endpoints_of, receiver_endpoint
from monitor.clock import monotonic_seconds
from monitor.errors import SettingsError, SpecError
from monitor.spec.actions import ReceiverType
from monitor.spec.model import ModelSpec
from monitor.store.configuration import AppliedModel
from monitor.store.endpoints import EndpointSpec
from monitor.types import ActionKind, EndpointRole

log = structlog.get_logger()

LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSecret:
    """A secret of *endpoint* that cannot be read because of *problem*; *usable*: the spec names another that can be."""

    endpoint: str
    problem: str
    usable: bool = False

    @property
    def notice(self) -> str:
        """What the operator should know."""
        if self.usable:
            return f"{self.endpoint}: signed with one secret less than its spec names: {self.problem}"
        return f"{self.endpoint}: nothing can be sent to it, what is for it waits: {self.problem}"


def sending_endpoints(spec: ModelSpec) -> tuple[EndpointSpec, ...]:
    """Return the receivers of *spec* that need a secret, and the actions that it may send."""
    receivers = [receiver for receiver in spec.alerting.receivers if receiver.type is not ReceiverType.LOG]
    kinds = [kind for kind in ActionKind if spec.actions.of(kind).mode.sends]
    return (
        *(receiver_endpoint(spec, receiver) for receiver in receivers),
        *(action_endpoint(spec, kind) for kind in kinds),
    )


def missing_secrets(spec: ModelSpec, environment: Mapping[str, str]) -> tuple[MissingSecret, ...]:
    """Return each secret of *spec* that is not there or is none."""
    missing = []
    for endpoint in sending_endpoints(spec):
        problems = []
        for source in endpoint.secrets:
            try:
                read_key(source, environment) if endpoint.sends_its_secret else read_secret(source, environment)
            except SettingsError as error:
                problems.append(str(error))
        usable = len(problems) < len(endpoint.secrets)
        missing += [MissingSecret(endpoint=endpoint.name, problem=problem, usable=usable) for problem in problems]
    return tuple(missing)


def require_usable_urls(spec: ModelSpec, *, source: str) -> None:
    """Refuse a spec that names a URL to which nothing can be sent.

    A stored one is read all the same: a model is not to be left unwatched for it.

    Raises:
        SpecError: Names each of them, never more of it than its host.
    """
    problems = [
        f"{_key(endpoint)}: {problem}"
        for endpoint in endpoints_of(spec)
        if endpoint.url is not None
        and endpoint.type != ReceiverType.MAIL  # whose URL is not one of HTTP, and was read with the spec
        and (problem := target_problem(endpoint.url)) is not None
    ]
    if problems:
        raise SpecError(source, tuple(problems))


def _key(endpoint: EndpointSpec) -> str:
    if endpoint.role is EndpointRole.RECEIVERS:
        return f"alerting.receivers ({endpoint.local_name}).url"
    return f"actions.{endpoint.local_name}.url"


class SecretWatch:
    """Looks for the secrets of all applied specs when they changed and each minute; a missing one is logged once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._missing: tuple[MissingSecret, ...] = ()
        self._looked: tuple[int, float] | None = None

    def look(self, models: Sequence[AppliedModel], *, generation: int) -> tuple[MissingSecret, ...]:
        """Return what is missing now, or was at the last look."""
        now = monotonic_seconds()
        if self._looked is not None and self._looked[0] == generation and now - self._looked[1] < LOOK_SECONDS:
            return self._missing
        self._looked = (generation, now)
        before = set(self._missing)
        self._missing = tuple(
            missing for applied in models for missing in missing_secrets(applied.spec, self._environment)
        )
        for missing in self._missing:
            if missing not in before:
                write = log.warning if missing.usable else log.error
                write("endpoint.without_secret", endpoint=missing.endpoint, problem=missing.problem)
        for endpoint in sorted({secret.endpoint for secret in before} - {secret.endpoint for secret in self._missing}):
            log.info("endpoint.secret_found", endpoint=endpoint)
        return self._missing

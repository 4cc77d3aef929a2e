"""Names endpoints of a spec whose signing secret is missing, before anything is sent to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.delivery.signing import read_secret
from alerting.notifications.outbox_rows import action_endpoint, receiver_endpoint
from monitor.errors import SettingsError
from monitor.spec.actions import ReceiverType
from monitor.spec.model import ModelSpec
from monitor.types import ActionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSecret:
    """Nothing can be sent to *endpoint*, for people because of *problem*."""

    endpoint: str
    problem: str

    @property
    def notice(self) -> str:
        """What the operator should know."""
        return f"{self.endpoint}: nothing can be sent to it: {self.problem}; set it and restart the alerter"


def missing_secrets(spec: ModelSpec, environment: Mapping[str, str]) -> tuple[MissingSecret, ...]:
    """Return the receivers of *spec*, and the actions it may send, whose secret is not in *environment* or is none."""
    receivers = [receiver for receiver in spec.alerting.receivers if receiver.type is ReceiverType.WEBHOOK]
    kinds = [kind for kind in ActionKind if spec.actions.of(kind).mode.sends]
    missing = []
    for endpoint in (
        *(receiver_endpoint(spec, receiver) for receiver in receivers),
        *(action_endpoint(spec, kind) for kind in kinds),
    ):
        try:
            read_secret(endpoint.secret_env or "", environment)
        except SettingsError as error:
            missing.append(MissingSecret(endpoint=endpoint.name, problem=str(error)))
    return tuple(missing)

"""The parts of a spec that say who is notified and which actions may be asked for, and the base of every part."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from monitor.types import ActionKind
from monitor.units import duration_text, parse_duration

Name = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[smhd]$", "examples": ["10m", "24h", "7d"]}),
]


SecretVariable = Annotated[
    str | None,
    Field(description="Environment variable with the signing secret (whsec_…); short for `secret: {env: …}`."),
]
Deadline = Annotated[Duration, Field(description="A request not delivered by then is dead.")]


class Strict(BaseModel):
    """Frozen; an unknown key is an error, not a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSource(Strict):
    """Where a signing secret is read from, again at each attempt."""

    env: str | None = Field(default=None, description="Environment variable of the alerter.")
    file: str | None = Field(default=None, description="File that the alerter can read, as an orchestrator mounts it.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise ValueError("a secret needs env or file, and not both")
        return self


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict | SecretSource) else value


def _one_or_several(schema: dict[str, Any]) -> None:
    several = {"type": schema.pop("type"), "items": schema.pop("items")}
    schema["anyOf"] = [several["items"], several]


Secrets = Annotated[
    tuple[SecretSource, ...],
    BeforeValidator(_listed),
    Field(
        description="The signing secret, {env: NAME} or {file: PATH}; a list while it is being rotated: each "
        "request is then signed with all of them.",
        json_schema_extra=_one_or_several,
    ),
]


class Signed(Strict):
    """What is sent as signed HTTP requests."""

    url: str | None = None
    secret_env: SecretVariable = None
    secret: Secrets = ()

    @property
    def secrets(self) -> tuple[SecretSource, ...]:
        """Every secret to sign with, `secret_env` first."""
        return (*((SecretSource(env=self.secret_env),) if self.secret_env else ()), *self.secret)

    @property
    def can_be_sent_to(self) -> bool:
        """Whether there is an address, and something to sign with."""
        return bool(self.url and self.secrets)


class ReceiverType(StrEnum):
    """How a receiver is reached."""

    LOG = "log"
    WEBHOOK = "webhook"


class ReceiverSpec(Signed):
    """Where messages go."""

    name: Name = Field(description="Distinct.")
    type: ReceiverType = Field(description="log, or webhook (needs url, secret or secret_env).")
    url: str | None = Field(default=None, description="Where signed messages go.")
    from_tier: Literal["warning", "alert", "critical"] = Field(default="warning", description="Lowest tier to send.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type is ReceiverType.WEBHOOK and not self.can_be_sent_to:
            raise ValueError("a webhook receiver needs url, and secret or secret_env")
        return self


class ActionMode(StrEnum):
    """How far an action may go without a person."""

    OFF = "off"
    DRY_RUN = "dry_run"
    APPROVE = "approve"
    AUTO = "auto"

    @property
    def sends(self) -> bool:
        """Whether requests go out in the end."""
        return self in (ActionMode.APPROVE, ActionMode.AUTO)


class ActionSpec(Signed):
    """What retraining and rollback share."""

    mode: ActionMode = Field(
        default=ActionMode.DRY_RUN,
        description="off, dry_run (recorded, not sent), approve (sent once a person approves it) or auto; the last two "
        "need url, and secret or secret_env.",
    )
    url: str | None = Field(default=None, description="Receives the signed request.")
    cooldown: Duration = Field(default=timedelta(hours=24), description="Least time between two requests.")
    deadline: Deadline = timedelta(minutes=30)
    approve_within: Duration = Field(
        default=timedelta(hours=4), description="What waits for approval expires after this."
    )

    @property
    def problem(self) -> str | None:
        """What is missing, None where nothing is; `ModelSpec` asks, so that it is named with what else is missing."""
        complete = not self.mode.sends or self.can_be_sent_to
        return None if complete else f"mode {self.mode} needs url, and secret or secret_env"


class RetrainingSpec(ActionSpec):
    """A signed request to retrain, on a drift or performance incident of tier alert."""

    max_per_month: int = Field(default=3, ge=1, description="Requests of one model in 30 days, at most.")


class RollbackSpec(ActionSpec):
    """A signed request to serve the last healthy version again."""

    deadline: Deadline = timedelta(minutes=5)
    keys: Literal[1, 2] = Field(
        default=2,
        description="1: critical alone rolls back; 2: something changed with the version, and labelled quality is "
        "proven worse than the target's; less waits for approval.",
    )
    random_split: bool = Field(
        default=False,
        description="true: versions that serve together get requests at random, not by region, customer or hour; only "
        "then do their labels roll back without a person.",
    )
    min_healthy: Duration = Field(default=timedelta(hours=1), description="How long a target must have served.")
    max_target_age: Duration = Field(default=timedelta(days=30), description="How long ago it may last have served.")
    allow_schema_change: bool = Field(default=False, description="A target may have counted other columns.")
    max_per_day: int = Field(default=1, ge=1, description="Rollbacks of one model in 24 hours, at most.")
    look_back: Duration = Field(default=timedelta(days=7), description="A version change this recent can be the cause.")


class ActionsSpec(Strict):
    """What Driftline may ask other systems to do."""

    retraining: RetrainingSpec = RetrainingSpec(mode=ActionMode.OFF)
    rollback: RollbackSpec = RollbackSpec(mode=ActionMode.OFF)

    def of(self, kind: ActionKind) -> ActionSpec:
        """Return the rules of one kind of action."""
        return self.retraining if kind is ActionKind.RETRAINING else self.rollback


class AlertingSpec(Strict):
    """How long incidents live and who is notified of them."""

    owner: str | None = Field(default=None, description="Who answers; needed for rollbacks.")
    runbook: str | None = Field(default=None, description="A link; needed for rollbacks.")
    close_after: int = Field(default=2, ge=1, description="Consecutive disjoint better windows that close an incident.")
    keep_firing_for: Duration = Field(
        default=timedelta(hours=1), description="A new start this soon re-opens the same id."
    )
    freshness: Duration | None = Field(
        default=None, description="Older windows neither page nor act; null: twice the step, at least 10m."
    )
    switch_over: Duration = Field(
        default=timedelta(minutes=10),
        description="How long a replaced version may still get events; later ones open an incident (deployment).",
    )
    tell_values: bool = Field(
        default=False, description="Messages name unseen values; values of features then leave Driftline."
    )
    receivers: tuple[ReceiverSpec, ...] = Field(
        default=(),
        description="Who is notified, and from which tier on.",
        examples=[
            {"name": "team", "type": "webhook", "url": "https://example.org/drift", "secret_env": "TEAM_SECRET"},
        ],
    )

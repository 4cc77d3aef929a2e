"""The parts of a spec that say who is notified and which actions may be asked for, and the base of every part."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from monitor.spec.mail_urls import MailSecurity, mail_server
from monitor.spec.receiver_rules import SECRET, address_problems, key_problems, label_problems
from monitor.spec.receiver_rules import ReceiverType as ReceiverType  # where everybody looks for it
from monitor.spec.urls import url_problem
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


_NO_NAMES = ("whsec_", "xoxb-", "xoxp-")  # how secrets begin


def _variable_name(name: str | None) -> str | None:
    if name and (re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) is None or name.startswith(_NO_NAMES)):
        raise ValueError(
            "expected the name of an environment variable (letters, digits and _), found something else; "
            "a secret itself stands in no spec"
        )
    return name


VariableName = Annotated[str | None, AfterValidator(_variable_name)]
SecretVariable = Annotated[
    VariableName,
    Field(description="Environment variable with the signing secret (whsec_…); short for `secret: {env: …}`."),
]
Deadline = Annotated[Duration, Field(description="A request not delivered by then is dead.")]


class Strict(BaseModel):
    """Frozen; an unknown key is an error, not a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSource(Strict):
    """Where a signing secret is read from, again at each attempt."""

    env: VariableName = Field(default=None, description="Environment variable of the alerter.")
    file: str | None = Field(default=None, description="File that the alerter can read, as an orchestrator mounts it.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise ValueError("expected env or file, found " + ("both" if self.env else "none of them"))
        return self


def _listed(value: object) -> object:
    if value is None or isinstance(value, list | tuple):
        return value or ()
    if not isinstance(value, dict | SecretSource):
        raise ValueError("expected {env: NAME} or {file: PATH}, or a list of these, found something else")
    return [value]


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


class ReceiverSpec(Signed):
    """Where messages go."""

    name: Name = Field(description="Distinct.")
    type: ReceiverType = Field(
        description="log; webhook (url, secret; body); alertmanager (urls; labels); pagerduty (secret: the integration "
        "key); jsm (secret: the API key); slack (secret: the incoming webhook's URL or, with channel, a bot's token); "
        "teams (secret: the workflow's URL); mail (url, sender, to; user and secret: the password)."
    )
    url: str | None = Field(
        default=None,
        description="Of a webhook, of a mail server (smtp://, which is STARTTLS, smtps:// or smtp+plain://), or of the "
        "product's API where it is another one than usual.",
    )
    urls: tuple[str, ...] = Field(default=(), description="Of an alertmanager: every peer.")
    labels: dict[str, str] = Field(default={}, description="Of an alertmanager: more labels, for its routes.")
    channel: str | None = Field(default=None, min_length=1, description="Of slack with a bot's token: the id, C….")
    sender: str | None = Field(default=None, description="Of mail: whom it is from, an address.")
    to: tuple[str, ...] = Field(default=(), description="Of mail: addresses.")
    user: str | None = Field(default=None, min_length=1, description="Of mail: who logs in.")
    body: Literal["driftline", "alertmanager"] = Field(
        default="driftline", description="Of a webhook: our own body, or that of Alertmanager's webhook (version 4)."
    )
    from_tier: Literal["warning", "alert", "critical"] = Field(default="warning", description="Lowest tier to send.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if problems := [*key_problems(self.type, self._given), *self._value_problems()]:
            raise ValueError("; ".join(problems))
        return self

    @property
    def _given(self) -> list[str]:
        keys = ("url", "urls", "labels", "channel", "sender", "to", "user")
        given = [key for key in keys if getattr(self, key)]
        given += [SECRET] if self.secrets else []
        return given + (["body"] if self.body != "driftline" else [])

    def _value_problems(self) -> list[str]:
        problems = [
            *label_problems(self.labels),
            *address_problems([*self.to, *([self.sender] if self.sender else [])]),
        ]
        problems += [f"urls: {problem}" for url in self.urls if (problem := url_problem(url))]
        if self.type is ReceiverType.MAIL and self.url:
            problems += self._server_problems(self.url)
        if self.user and not self.secrets:
            problems.append("user needs secret or secret_env: the password")
        if self.type is ReceiverType.SLACK and self.url and not self.channel:
            problems.append(
                "url is that of the API, for a bot's token with channel; an incoming webhook's is the secret"
            )
        return problems

    def _server_problems(self, url: str) -> list[str]:
        try:
            server = mail_server(url)
        except ValueError as error:
            return [f"url: {error}"]
        if server.security is MailSecurity.NONE and self.secrets:
            return ["url: a password would be readable on the way: use smtps:// or smtp://, which is STARTTLS"]
        return []


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


_PLACE = re.compile(r"{(\w*)}")
_LINK_PLACES = ("namespace", "model", "version", "kind", "incident")


class AlertingSpec(Strict):
    """How long incidents live and who is notified of them."""

    owner: str | None = Field(default=None, description="Who answers; needed for rollbacks.")
    runbook: str | None = Field(default=None, description="A link; needed for rollbacks.")
    link: str | None = Field(
        default=None,
        description="Where to look, in every message; {namespace}, {model}, {version}, {kind} and {incident} are "
        "filled in.",
        examples=["https://grafana.example.org/d/driftline?var-model={model}"],
    )
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

    @field_validator("link")
    @classmethod
    def _known_places(cls, link: str | None) -> str | None:
        unknown = [name for name in _PLACE.findall(link or "") if name not in _LINK_PLACES]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in _LINK_PLACES)
            raise ValueError(f"expected {known} to be filled in, found {{{unknown[0]}}}")
        return link

    @property
    def queued_receivers(self) -> tuple[ReceiverSpec, ...]:
        """Those that are sent messages by the outbox, in the spec's order."""
        return tuple(receiver for receiver in self.receivers if receiver.type.queued)

    def link_to(self, **places: str) -> str | None:
        """Return the link with its *places* filled in, each encoded for a URL; None where the spec has none."""
        if self.link is None:
            return None
        return _PLACE.sub(lambda place: quote(places.get(place[1], ""), safe=""), self.link)

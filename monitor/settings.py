"""Process settings: environment variables `DRIFTLINE_…` over one TOML file, strict, parsed once."""

import os
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from monitor.errors import SettingsError
from monitor.kafka_security import SaslMechanism, security_problems
from monitor.targets import AllowedTargets
from monitor.types import StartAt

_CREDENTIALS = ("kafka_ssl_", "kafka_sasl_", "kafka_oauth_")
# Read elsewhere; secrets named by a spec's `secret_env` may begin with DRIFTLINE_SECRET.
_OTHER_VARIABLES = {"DRIFTLINE_CONFIG", "DRIFTLINE_FAILPOINT", "DRIFTLINE_SUPERVISOR"}


class GroupProtocol(StrEnum):
    """How consumers share partitions."""

    CLASSIC = "classic"
    CONSUMER = "consumer"  # KIP-848


class UnknownModel(StrEnum):
    """What becomes of the records of a model that is not applied."""

    PARK = "park"  # dead letters that come back once it is
    REJECT = "reject"
    DISCOVER = "discover"  # counted by name, none is kept


class Settings(BaseSettings):
    """What a process needs to know besides the model specs; see docs/settings for each."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_", extra="forbid", frozen=True)

    # repr=False: its value, or a part of it, is a secret, which no message shows
    database_url: str = Field(default="postgresql://driftline@localhost:5432/driftline", repr=False)
    kafka_bootstrap: str = "localhost:9092"
    kafka_group: str = "driftline-ingest"
    kafka_group_protocol: GroupProtocol = Field(
        default=GroupProtocol.CLASSIC, description="consumer: the KIP-848 protocol of Kafka 4."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_ssl_ca_file: Path | None = Field(
        default=None, description="PEM file with the authorities that brokers are signed by; None: the system's."
    )
    kafka_ssl_certificate_file: Path | None = Field(default=None, description="PEM file with our client certificate.")
    kafka_ssl_key_file: Path | None = Field(
        default=None, description="PEM file with its key; None: in the certificate's file."
    )
    kafka_ssl_key_password: str | None = Field(default=None, repr=False, description="Of an encrypted key.")
    kafka_sasl_mechanism: SaslMechanism | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
    )
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = Field(default=None, repr=False)
    kafka_oauth_token_url: str | None = Field(
        default=None, repr=False, description="OAUTHBEARER: where a token is asked for by our client credentials."
    )
    kafka_oauth_client_id: str | None = None
    kafka_oauth_client_secret: str | None = Field(default=None, repr=False)
    kafka_oauth_scope: str | None = None
    kafka_client: dict[str, str] = Field(
        default={}, repr=False, description="Further properties of librdkafka, as they are: client.rack, for example."
    )
    predictions_topics: tuple[str, ...] = ("predictions",)
    truths_topics: tuple[str, ...] = ("ground-truth",)
    deployments_topics: tuple[str, ...] = ("deployments",)
    wakeups_topic: str = "driftline.wakeups"
    start_at: StartAt = StartAt.EARLIEST
    unknown_model: UnknownModel = UnknownModel.PARK

    batch_size: int = Field(default=5000, ge=1, description="Records asked of Kafka at once.")
    flush_seconds: float = Field(default=1.0, gt=0)
    flush_events: int = Field(default=50_000, ge=1, description="Records after which a flush does not wait.")
    flush_bytes: int = Field(
        default=64 << 20, ge=1, description="Bytes of records after which a flush does not wait; they are in memory."
    )
    flush_panes: int = Field(default=256, ge=1, description="Open panes after which a flush does not wait.")
    session_timeout_ms: int = 45_000
    max_poll_interval_ms: int = 300_000
    max_message_bytes: int = 1 << 20
    dead_letter_bytes: int = Field(default=64 << 10, description="Bytes of a refused record that are kept.")
    dead_letter_bytes_per_hour: int = Field(
        default=1 << 20, ge=0, description="Bytes of dead letters kept per reason, model and hour; the rest is counted."
    )
    parked_bytes_per_hour: int = Field(
        default=32 << 20, ge=0, description="The same of those to come back: parked, model_stopped, spec_unreadable."
    )
    dead_letter_total_bytes_per_hour: int = Field(
        default=64 << 20, ge=0, description="Bytes of dead letters kept per hour at most, of all models together."
    )
    dead_letter_share: float = Field(
        default=0.2, description="Bad share of a model's last 1,000 records in a partition that stops it there."
    )
    dead_letter_minimum: int = 50

    disorder_seconds: int = 60
    allowed_lateness_seconds: int = 3600
    max_future_seconds: int = 300
    idle_timeout_seconds: int = 60
    settle_seconds: float = Field(
        default=5.0,
        description="A partition without events of its own holds the watermark until it was read to its end this long"
        " after the newest event of another one was counted.",
    )
    dedup_horizon: int = 100_000
    revision_seconds: float = Field(
        default=60.0, ge=0, description="A window with late events is revised at most this often."
    )

    sweep_seconds: float = Field(default=10.0, gt=0)
    delivery_seconds: float = Field(default=1.0, gt=0)
    delivery_timeout_seconds: float = Field(
        default=10.0, gt=0, description="One attempt takes no longer, from resolving the name to the answer's end."
    )
    receivers_ca_file: Path | None = Field(
        default=None, description="PEM certificates of private authorities that receivers' certificates may be of."
    )
    actions_enabled: bool = Field(
        default=True,
        description="The strongest kill switch, of this process: false stops every action. See `driftline hold`.",
    )
    actions_per_hour: int = Field(default=3, ge=1, description="Actions of all models together that are sent an hour.")
    common_cause_models: int = Field(
        default=3,
        ge=2,
        description="So many models of a namespace that become bad within ten minutes hold every action: one cause.",
    )
    targets: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Private places that messages and requests may go to: networks and hosts (`*.svc.cluster.local`).",
    )
    allow_private_targets: bool = Field(default=False, description="true: to every private address, without a list.")
    maintain_seconds: float = Field(default=1.0, gt=0)
    pane_retention_days: int = Field(default=90, ge=1)
    ledger_retention_days: int = Field(default=90, ge=1)
    evaluation_retention_days: int = Field(default=90, ge=1)
    incident_retention_days: int = Field(default=365, ge=1)
    deployment_retention_days: int = Field(default=365, ge=1)
    flush_retention_days: int = Field(default=7, ge=1)
    dead_letter_retention_days: int = Field(default=14, ge=1)

    statement_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Postgres ends a statement that runs longer."
    )
    flush_timeout_seconds: float = Field(default=30.0, gt=0, description="The same for the statements of ingest.")

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, description="/metrics and /healthz; 0: off.")
    dead_man_url: str | None = Field(
        default=None,
        repr=False,
        description="Asked for by each role while its work advances; {role} becomes the role's name.",
    )
    dead_man_seconds: float = Field(default=60.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("dead_man_url")
    @classmethod
    def _one_for_each_role(cls, url: str | None) -> str | None:
        if url is not None and not (url.startswith(("http://", "https://")) and "{role}" in url):
            # one address for all roles would be kept alive by those that live
            raise ValueError("expected an http or https URL that holds {role}, so that each role is missed by itself")
        return url

    @model_validator(mode="after")
    def _kafka_can_connect(self) -> Self:
        problems = security_problems(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            credentials={
                name: getattr(self, name) for name in type(self).model_fields if name.startswith(_CREDENTIALS)
            },
            properties=self.kafka_client,
        )
        if problems:
            raise ValueError("\n  - ".join(problems))
        return self

    @field_validator("kafka_ssl_ca_file", "kafka_ssl_certificate_file", "kafka_ssl_key_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            raise ValueError(f"expected a file that can be read: {error.strerror}") from error
        return path

    @field_validator("targets")
    @classmethod
    def _hosts_and_networks(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        try:
            AllowedTargets.parse(entries)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return entries

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get("DRIFTLINE_CONFIG", "driftline.toml"))
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path))


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: Names each setting that is unknown or wrong, what was expected and found.
    """
    _refuse_unknown_variables()
    named = os.environ.get("DRIFTLINE_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(f"DRIFTLINE_CONFIG: expected a TOML file, found nothing at {named}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them and names each problem
    except ValidationError as error:
        problems = "\n".join(f"  - {_problem(detail)}" for detail in error.errors())
        raise SettingsError(f"settings: {error.error_count()} problem(s)\n{problems}") from error
    except ValueError as error:
        raise SettingsError(f"settings: {error}") from error


def _problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one setting, without the value of a secret, and of an unknown key, which may be one."""
    if not detail["loc"]:  # of several settings together: it names them
        return detail["msg"].removeprefix("Value error, ")
    name = str(detail["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        near = get_close_matches(name, Settings.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else "see docs/operations.md for all settings."
        return f"{name}: expected the name of a setting, found an unknown one; {hint}"
    place = f"DRIFTLINE_{'_'.join(map(str, detail['loc'])).upper()}"
    shown = f"found {detail['input']!r}" if field.repr else "its value is a secret and not shown"
    return f"{place}: {detail['msg']}, {shown}"


def _refuse_unknown_variables() -> None:
    """A misspelt variable must not leave its setting at the default unnoticed."""
    known = {f"DRIFTLINE_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith("DRIFTLINE_") and name not in known and not name.startswith("DRIFTLINE_SECRET"):
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see docs/operations.md for all settings."
            raise SettingsError(f"{name}: expected the name of a setting, found an unknown one; {hint}")

"""Frozen values that cross modules; times are epoch milliseconds (UTC), spans minutes, unless a name says otherwise."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from monitor.humanize import span_text
from monitor.units import MINUTE_MILLIS

ALL_SEGMENT = ""
DEFAULT_NAMESPACE = "default"
UTC = "UTC"  # the name of a time zone
OTHER_VERSIONS = "other"  # the version under which those are counted that found no place of their own


class Tier(IntEnum):
    """How bad a finding is; ordered."""

    NONE = 0
    WARNING = 1
    ALERT = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The tier as specs, messages and reports write it."""
        return self.name.lower()

    @classmethod
    def of_word(cls, word: str) -> "Tier":
        """Return the tier that is written so."""
        return cls[word.upper()]


class Verdict(StrEnum):
    """What one closed window says about one series."""

    OK = "OK"
    WARNING = "WARNING"
    ALERT = "ALERT"
    CRITICAL = "CRITICAL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Statistic(StrEnum):
    """What a finding is about."""

    PSI = "psi"
    KS = "ks"
    ANYTIME = "anytime"  # evidence of a lasting change, in powers of ten
    MISSING = "missing"
    INVALID = "invalid"
    UNSEEN = "unseen"
    FAR = "far"
    STUCK = "stuck"
    SCHEMA = "schema"  # the field is missing in all events
    ACCURACY = "accuracy"
    VERSIONS = "versions"  # of the version `other`: there are too many
    TRAFFIC = "traffic"  # events of a version that was replaced


class InconclusiveReason(StrEnum):
    """Why a window, or one of its columns, could not be judged; empty, and false, where it could."""

    CONCLUSIVE = ""
    NO_EVENTS = "no_events"
    TOO_FEW_EVENTS = "too_few_events"
    NO_REFERENCE = "no_reference"
    NEW_CELLS = "new_cells"
    FILLING = "filling"
    BLIND = "blind"  # records of the model are missing
    WARMING_UP = "warming_up"  # a new version whose own prediction is being learnt
    COMPACTED = "compacted"
    IMMATURE = "immature"  # truths are missing
    NOT_MEASURED = "not_measured"


class Calibration(StrEnum):
    """How well a column's natural movement is known at one window length."""

    MEASURED = "measured"
    ESTIMATED = "estimated"  # from few blocks, or of a shorter length
    UNCALIBRATED = "uncalibrated"


class EvaluationKind(StrEnum):
    """What was judged."""

    INPUTS = "inputs"  # drift and data quality of features and predictions
    PERFORMANCE = "performance"  # accuracy, once truths are in


class IncidentKind(StrEnum):
    """What an incident is about: one incident per (model, version, kind)."""

    DRIFT = "drift"
    PERFORMANCE = "performance"
    DATA_QUALITY = "data_quality"
    BLIND = "blind"
    DEPLOYMENT = "deployment"  # events of a version that should have none any more


class IncidentStatus(StrEnum):
    """Whether an incident goes on."""

    OPEN = "open"
    RESOLVED = "resolved"


class ActionKind(StrEnum):
    """What is asked of another system."""

    RETRAINING = "retraining"
    ROLLBACK = "rollback"


class ActionState(StrEnum):
    """Where an action stands."""

    REFUSED = "refused"
    DRY_RUN = "dry_run"
    AWAITING_APPROVAL = "awaiting_approval"  # people decide, until it expires
    REJECTED = "rejected"
    SUPERSEDED = "superseded"  # while it waited, one on better evidence took its place
    DISPATCHING = "dispatching"
    ACCEPTED = "accepted"  # by the receiver; what came of it is not known yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"  # sent, and no answer came in time
    EXPIRED = "expired"


class EffectKind(StrEnum):
    """What is sent: word to people, or a request to another system."""

    NOTIFICATION = "notification"
    ACTION = "action"


class NoticeEvent(StrEnum):
    """What a receiver is sent of an incident."""

    TRIGGER = "trigger"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    END = "end"


class Urgency(IntEnum):
    """What is sent first where several things wait for one endpoint."""

    ACTION = 0
    PAGE = 1
    OTHER = 2


class DeliveryState(StrEnum):
    """Where an outbox row stands."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the spec no longer wants it sent: its receiver was removed, its action switched off
    SUPERSEDED = "superseded"  # a newer message of the same incident to the same receiver has what it said


class EndpointRole(StrEnum):
    """What an endpoint of a model is for."""

    RECEIVERS = "receivers"
    ACTIONS = "actions"


class DeadLetterReason(StrEnum):
    """Why a record was not counted; a closed list."""

    MALFORMED = "malformed"
    FUTURE = "future"
    TOO_LARGE = "too_large"
    UNKNOWN_MODEL = "unknown_model"
    UNSUPPORTED = "unsupported"
    MODEL_STOPPED = "model_stopped"
    SPEC_UNREADABLE = "spec_unreadable"
    PARKED = "parked"


class TimestampType(StrEnum):
    """Who dates the records of a topic: Kafka's `message.timestamp.type`."""

    UNKNOWN = ""
    CREATE_TIME = "CreateTime"  # the producers, whose clocks may be wrong
    LOG_APPEND_TIME = "LogAppendTime"  # the broker


class StartAt(StrEnum):
    """Where a partition that was never read is begun."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Season(StrEnum):
    """A cycle that columns may follow, cut into hours."""

    HOUR_OF_DAY = "hour_of_day"
    HOUR_OF_WEEK = "hour_of_week"

    @property
    def hours(self) -> int:
        """How many hours the cycle has."""
        return 24 if self is Season.HOUR_OF_DAY else 168


class Service(StrEnum):
    """What every role waits for."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


class TopicRole(StrEnum):
    """What an input topic holds."""

    PREDICTIONS = "predictions"
    TRUTHS = "ground-truth"
    DEPLOYMENTS = "deployments"


class Stage(StrEnum):
    """Where a model version stands in the deployments' history."""

    SHADOW = "shadow"
    CANARY = "canary"
    PRODUCTION = "production"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, order=True)
class ModelKey:
    """Name of a model: project-and-environment namespace and model name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return self.name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """What is counted, windowed and judged: one version and one segment (empty tag: all) of a model."""

    model_id: int
    version: str
    segment_tag: str = ALL_SEGMENT
    segment_value: str = ALL_SEGMENT


@dataclass(frozen=True, slots=True, order=True)
class Scale:
    """A window length and its step in minutes; window ends are multiples of the step since the epoch."""

    length: int
    step: int

    def __str__(self) -> str:
        return span_text(self.length)


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open interval ``[start, end)`` of event time in epoch milliseconds, of one scale."""

    scale: Scale
    end: int

    @property
    def start(self) -> int:
        return self.end - self.scale.length * MINUTE_MILLIS

    @property
    def middle(self) -> int:
        return self.end - self.scale.length * MINUTE_MILLIS // 2

    @property
    def previous_start(self) -> int:
        return self.end - 2 * self.scale.length * MINUTE_MILLIS


@dataclass(frozen=True, slots=True, order=True)
class PartitionKey:
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"

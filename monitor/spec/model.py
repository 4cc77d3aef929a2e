"""The model spec a user writes in YAML: columns, windows, rule; its other parts are modules next to this one."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from monitor.season_clock import SeasonClock
from monitor.spec.accuracy import AccuracySpec
from monitor.spec.actions import ActionsSpec, AlertingSpec, Duration, Name, Share, Strict
from monitor.types import UTC, ActionKind, ModelKey, Scale, Season
from monitor.units import minutes


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary_classification"
    MULTICLASS = "multiclass_classification"
    REGRESSION = "regression"


class ColumnKind(StrEnum):
    """How a column's values are counted."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class ColumnRule(StrEnum):
    """How a column's drift is judged."""

    DEFAULT = "default"  # as the model's is
    ANYTIME = "anytime"


class ColumnSpec(Strict):
    """One feature."""

    kind: ColumnKind = Field(description="numeric (counted in cells) or categorical.")
    monitor: bool = Field(default=True, description="false: counted and shown, never judged.")
    importance: Share | None = Field(
        default=None, description="Share of the model's importance: sorts messages, is evidence for a rollback."
    )
    rule: ColumnRule = Field(
        default=ColumnRule.DEFAULT,
        description="default: the model's `drift.rule`. anytime: a lasting change is also detected pane by pane, often "
        "in a few minutes; only for columns without natural movement.",
    )

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if self.rule is ColumnRule.ANYTIME and not self.monitor:
            raise ValueError("rule anytime judges the column, expected monitor: true, found false")
        return self


class PredictionSpec(Strict):
    """Which parts of the prediction are counted, and how a score becomes a label."""

    score: bool = Field(default=False, description="Events carry prediction.score, from 0 to 1.")
    label: bool = Field(default=False, description="Events carry prediction.label.")
    value: bool = Field(default=False, description="Events carry prediction.value, a number (regression).")
    threshold: Share = Field(
        default=0.5, description="Score from which on the label is positive, when no label is sent."
    )
    warm_up: Duration = Field(
        default=timedelta(hours=24),
        description="How much of a new version's own traffic its prediction's reference is learnt from, when it was "
        "deployed next to or after another. 0h: every version is compared with the model's reference.",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.score or self.label or self.value):
            raise ValueError("expected at least one of score, label, value to be true")
        return self


class TruthSpec(Strict):
    """How truths are read and how long they are waited for."""

    positive: str = Field(default="1", description="The truth (and label) that counts as positive.")
    negative: str = Field(default="0", description="The label a score below the threshold stands for.")
    horizon: Duration = Field(default=timedelta(days=30), description="How long a truth looks for its prediction.")


class ScaleSpec(Strict):
    """One window length and its step."""

    length: Duration = Field(description="Window length; whole even minutes.")
    step: Duration = Field(description="Distance of window ends; divides half the length.")

    @model_validator(mode="after")
    def _even(self) -> Self:
        length, step = self.length.total_seconds(), self.step.total_seconds()
        if length <= 0 or length % 120:
            raise ValueError(f"length: expected whole even minutes, found {length:g} s")
        if step <= 0 or step % 60 or (length / 2) % step:
            raise ValueError(f"step: expected whole minutes that divide half the length, found {step:g} s")
        return self

    @property
    def scale(self) -> Scale:
        return Scale(length=minutes(self.length), step=minutes(self.step))


def _default_scales() -> tuple[ScaleSpec, ...]:
    table = (("10m", "1m"), ("30m", "3m"), ("1h", "5m"), ("4h", "20m"), ("24h", "2h"), ("7d", "12h"))
    return tuple(ScaleSpec.model_validate({"length": length, "step": step}) for length, step in table)


class WindowSpec(Strict):
    """The scales and how many events make a window judgeable."""

    scales: tuple[ScaleSpec, ...] = Field(
        default_factory=_default_scales, min_length=1, max_length=8, description="Sliding windows, shortest first."
    )
    min_events: int = Field(default=200, ge=2, description="Fewer events of a column: inconclusive, never good or bad.")

    @field_validator("scales")
    @classmethod
    def _distinct_and_ordered(cls, scales: tuple[ScaleSpec, ...]) -> tuple[ScaleSpec, ...]:
        lengths = [scale.length for scale in scales]
        if sorted(set(lengths)) != lengths:
            raise ValueError("expected each length once, shortest first")
        return scales


class TierSpec(Strict):
    """Proven PSI from which on a column's drift is a warning, an alert, critical."""

    warning: float = Field(default=0.1, gt=0, description="People are notified.")
    alert: float = Field(default=0.2, gt=0, description="A retraining is requested.")
    critical: float = Field(default=0.3, gt=0, description="A rollback is considered.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.warning < self.alert < self.critical:
            raise ValueError(
                f"expected warning < alert < critical, found {self.warning}, {self.alert}, {self.critical}"
            )
        return self


class FurtherStatistic(StrEnum):
    """What can be computed of every column and window beyond PSI and KS; shown, never judged."""

    JENSEN_SHANNON = "jensen_shannon"
    KULLBACK_LEIBLER = "kullback_leibler"
    HELLINGER = "hellinger"
    TOTAL_VARIATION = "total_variation"
    L_INFINITY = "l_infinity"
    CHI_SQUARED = "chi_squared"
    WASSERSTEIN = "wasserstein"


class DriftRule(StrEnum):
    """By which rule drift is judged."""

    DEFAULT = "default"
    TEXTBOOK = "textbook"


class Seasonality(StrEnum):
    """Which columns are compared with the same hours of the reference, and of which cycle."""

    AUTO = "auto"
    NONE = "none"
    HOUR_OF_DAY = "hour_of_day"
    HOUR_OF_WEEK = "hour_of_week"

    @property
    def season(self) -> Season:
        """The cycle whose hours a reference counts."""
        return Season.HOUR_OF_WEEK if self is Seasonality.HOUR_OF_WEEK else Season.HOUR_OF_DAY


def known_zone(name: str) -> str:
    """Return *name* if it is that of a time zone.

    Raises:
        ValueError: It is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected an IANA time zone such as Europe/Berlin or UTC, found {name!r}") from None
    return name


Zone = Annotated[str, AfterValidator(known_zone)]


class DriftSpec(Strict):
    """How drift is decided."""

    rule: DriftRule = Field(
        default=DriftRule.DEFAULT, description="default, or textbook: plain thresholds, for comparison."
    )
    seasonality: Seasonality = Field(
        default=Seasonality.AUTO,
        description="auto: columns that follow the hour of the day are compared with the same hours of the reference; "
        "hour_of_day, hour_of_week: every column is; none: none is.",
    )
    timezone: Zone = Field(
        default=UTC,
        description="IANA name of the time zone whose hours `seasonality` means, as Europe/Berlin: a daily rhythm goes "
        "by the clock on the wall, also when that is put forward or back.",
    )
    alpha: float = Field(
        default=0.001, gt=0, lt=0.5, description="Probability of a false alarm per evaluation, at a tier's boundary."
    )
    tiers: TierSpec = TierSpec()
    ks_warning: float = Field(default=0.12, gt=0, lt=1, description="KS distance that is a warning without any PSI.")
    close_ratio: float = Field(default=0.7, gt=0, le=1, description="An incident closes below this share of its tier.")
    statistics: tuple[FurtherStatistic, ...] = Field(
        default=(), description="Computed and stored next to PSI and KS, for people to see; never judged."
    )

    @property
    def season_clock(self) -> SeasonClock:
        """The hours that a reference counts."""
        return SeasonClock(self.seasonality.season, self.timezone)

    @field_validator("statistics")
    @classmethod
    def _each_once(cls, statistics: tuple[FurtherStatistic, ...]) -> tuple[FurtherStatistic, ...]:
        if len(set(statistics)) != len(statistics):
            raise ValueError(f"expected each statistic once, found {', '.join(statistics)}")
        return statistics


class SegmentSpec(Strict):
    """One tag of the events."""

    tag: Name = Field(description="Key in the tags of the events.")
    values: tuple[Name, ...] = Field(min_length=1, max_length=50, description="Values with a series of their own.")


class ReferencePolicy(StrEnum):
    """What becomes of the reference as time goes on."""

    FROZEN = "frozen"
    ROLLING = "rolling"


class ModelSpec(Strict):
    """One monitored model."""

    model: Name = Field(description="Name of the model, as in its events.")
    namespace: Name = Field(default="default", description="Project and environment, as in the events.")
    task: Task = Field(description="What the model predicts.")
    reference: str = Field(description="Path of the reference profile, relative to this file.")
    reference_policy: ReferencePolicy = Field(
        default=ReferencePolicy.FROZEN,
        description="frozen, or rolling: once a day the approved hours of the last 7 days become the reference, "
        "unasked; a slow drift is then followed, not reported.",
    )
    columns: dict[Name, ColumnSpec] = Field(max_length=2000, description="Features by name.")
    prediction: PredictionSpec
    truth: TruthSpec = TruthSpec()
    sample_rate: Share = Field(
        default=1.0, description="Share of prediction ids kept in the ledger for delayed truths."
    )
    segments: tuple[SegmentSpec, ...] = Field(
        default=(),
        max_length=10,
        description="Tags whose values are counted apart; every value that is not listed is counted as `other`.",
        examples=[{"tag": "region", "values": ["eu", "us"]}],
    )
    versions: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Live versions (events within a week) with series of their own; more are counted as `other`.",
    )
    windows: WindowSpec = WindowSpec()
    drift: DriftSpec = DriftSpec()
    accuracy: AccuracySpec = AccuracySpec()
    alerting: AlertingSpec = AlertingSpec()
    actions: ActionsSpec = ActionsSpec()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := list(self._problems()):
            # A ValueError would name one problem, without its key.
            raise ValidationError.from_exception_data(
                "spec",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("value_error", "{problem}", {"problem": problem}), loc=key, input={}
                    )
                    for key, problem in problems
                ],
            )
        return self

    def _problems(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield what does not fit together, with its key."""
        if self.task is Task.REGRESSION and not self.prediction.value:
            yield (), "task regression needs prediction.value: true"
        if self.task is not Task.REGRESSION and self.prediction.value:
            yield (), "prediction.value belongs to task regression"
        names = [receiver.name for receiver in self.alerting.receivers]
        if len(set(names)) != len(names):
            yield (), f"alerting.receivers: expected distinct names, found {names}"
        for kind in ActionKind:
            if problem := self.actions.of(kind).problem:
                yield ("actions", kind.value), problem
        rollback = self.actions.rollback.mode
        if rollback.sends and not (self.alerting.owner and self.alerting.runbook):
            yield (), f"actions.rollback.mode {rollback} needs alerting.owner and alerting.runbook"

    @property
    def key(self) -> ModelKey:
        return ModelKey(self.namespace, self.model)

    @property
    def scales(self) -> tuple[Scale, ...]:
        return tuple(scale.scale for scale in self.windows.scales)

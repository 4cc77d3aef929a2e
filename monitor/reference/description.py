"""What each column of a reference table is: feature, part of the prediction, truth or time."""

from dataclasses import dataclass

from monitor.reference.layout import CellsLayout, ColumnRole
from monitor.reference.profile import ReferenceProfile
from monitor.season_clock import HOURS_OF_DAY, SeasonClock
from monitor.spec.model import ColumnKind, ColumnSpec, ModelSpec, PredictionSpec, Task

PREDICTION_PREFIX = "prediction."
LATENCY_COLUMN = "latency_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedColumn:
    """One column that gets cells: *source* is its name in the table, *name* the one in the layout."""

    name: str
    source: str
    kind: ColumnKind
    role: ColumnRole = ColumnRole.FEATURE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDescription:
    """What each column of a reference table is; names are those of the table.

    Attributes:
        features: Name and kind of each feature, in the order in which they are counted.
        score, label, value: Columns of the model's prediction.
        truth: What turned out to be true.
        truth_time: When that was known; missing where it is not.
        timestamp: Event times; None for a reference without time.
        lengths: Window lengths in minutes for which natural movement is wanted.
        clock: The hours of a cycle by which the reference is kept as well, when its time covers that often enough.
        threshold: Score from which on *positive* is predicted when there is no label; *negative* below it.
    """

    features: tuple[tuple[str, ColumnKind], ...]
    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    truth_time: str | None = None
    timestamp: str | None = None
    lengths: tuple[int, ...] = ()
    clock: SeasonClock | None = HOURS_OF_DAY
    threshold: float = 0.5
    positive: str = "1"
    negative: str = "0"

    @property
    def counted(self) -> tuple[CountedColumn, ...]:
        """Features, then the parts of the prediction, in the order of the layout."""
        features = [CountedColumn(name=name, source=name, kind=kind) for name, kind in self.features]
        parts = (
            (self.score, ColumnKind.NUMERIC, ColumnRole.SCORE),
            (self.label, ColumnKind.CATEGORICAL, ColumnRole.LABEL),
            (self.value, ColumnKind.NUMERIC, ColumnRole.VALUE),
        )
        predictions = [
            CountedColumn(name=PREDICTION_PREFIX + role, source=source, kind=kind, role=role)
            for source, kind, role in parts
            if source is not None
        ]
        return (*features, *predictions)

    @property
    def sources(self) -> tuple[str, ...]:
        """Every column of the table that is read."""
        others = (self.truth, self.truth_time, self.timestamp)
        return tuple(
            dict.fromkeys([*(column.source for column in self.counted), *(name for name in others if name is not None)])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumns:
    """Names in the table of what is no feature; None where nothing was said."""

    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    truth_time: str | None = None
    timestamp: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What cannot be meant."""
        if self.truth_time is None or (self.truth is not None and self.timestamp is not None):
            return ()
        lacking = " and ".join(
            option for option, column in (("--truth", self.truth), ("--timestamp", self.timestamp)) if column is None
        )
        return (f"--truth-time {self.truth_time}: expected {lacking} as well: the age of a truth is counted from both",)


def spec_description(
    spec: ModelSpec, columns: TableColumns, *, known: tuple[str, ...]
) -> tuple[ReferenceDescription, tuple[str, ...]]:
    """Return the description of a table with the columns *known*, and the problems that it has.

    Features have the names of the spec. A part of the prediction that the spec counts and *columns* does not name is
    in the column ``prediction.score`` or ``score`` (label, value).
    """
    problems = list(columns.problems)

    def part(name: str, *, counted: bool, said: str | None) -> str | None:
        if not counted:
            if said is not None:
                problems.append(f"--{name} {said}: expected none, for the spec says prediction.{name}: false")
            return None
        source = said or next((candidate for candidate in (PREDICTION_PREFIX + name, name) if candidate in known), None)
        if source is None:
            problems.append(f"--{name}: expected the column with the prediction's {name}, found none")
        return source

    description = ReferenceDescription(
        features=tuple((name, column.kind) for name, column in spec.columns.items()),
        score=part("score", counted=spec.prediction.score, said=columns.score),
        label=part("label", counted=spec.prediction.label, said=columns.label),
        value=part("value", counted=spec.prediction.value, said=columns.value),
        truth=columns.truth,
        truth_time=columns.truth_time,
        timestamp=columns.timestamp,
        lengths=tuple(scale.length for scale in spec.scales),
        threshold=spec.prediction.threshold,
        positive=spec.truth.positive,
        negative=spec.truth.negative,
        clock=spec.drift.season_clock,
    )
    problems += [
        f"column {name!r}: expected one of {', '.join(known)}; found none"
        for name in description.sources
        if name not in known
    ]
    return description, tuple(problems)


def other_columns(description: ReferenceDescription, cells: CellsLayout) -> list[str]:
    """Return in which columns the table of *description* and given *cells* differ, a sentence for each."""
    given = {column.name: column.kind for column in cells.columns if column.role is not ColumnRole.LATENCY}
    counted = {column.name: column.kind for column in description.counted}
    problems = [
        f"the given reference: expected cells of {name!r}, a column of the spec, found none"
        for name in counted
        if name not in given
    ]
    problems += [
        f"the spec: expected {name!r}, a column of the given reference, found none"
        for name in given
        if name not in counted
    ]
    return problems + [
        f"the given reference: expected {kind} cells of {name!r} as in the spec, found {given[name]} ones"
        for name, kind in counted.items()
        if given.get(name, kind) is not kind
    ]


def spec_of_profile(profile: ReferenceProfile, *, model: str) -> ModelSpec:
    """Return a spec with the profile's columns, every one monitored, and the defaults for all else."""
    roles = {column.role for column in profile.layout.columns}
    features = [column for column in profile.layout.columns if column.role is ColumnRole.FEATURE]
    value = ColumnRole.VALUE in roles
    return ModelSpec(
        model=model,
        task=Task.REGRESSION if value else Task.BINARY,
        reference=model,
        columns={column.name: ColumnSpec(kind=column.kind) for column in features},
        prediction=PredictionSpec(
            score=ColumnRole.SCORE in roles,
            # A profile of features alone is none that `driftline` writes, but it can be looked at all the same.
            label=ColumnRole.LABEL in roles or not (value or ColumnRole.SCORE in roles),
            value=value,
        ),
    )

"""Proposes a spec from a reference table: kinds of columns, task, segments, sampling."""

from dataclasses import astuple, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.errors import SpecError
from monitor.reference.arrow_columns import UncountableColumn, epoch_millis, is_number, natural_kind, text_column
from monitor.reference.cell_choice import uncountable_reason
from monitor.reference.description import (
    LATENCY_COLUMN,
    PREDICTION_PREFIX,
    CountedColumn,
    ReferenceDescription,
    TableColumns,
)
from monitor.season_clock import SeasonClock
from monitor.spec.model import ColumnKind, ScaleSpec, SegmentSpec, Task, known_zone
from monitor.types import UTC, Season
from monitor.units import DAY_MILLIS

IDENTITY_NAMES = ("id", "prediction_id")
LEDGER_ROWS_PER_DAY = 1_000_000
SEGMENT_VALUES = 50
MIXED_CATEGORIES = 10
NAMES_OF_OPTIONS = {
    "label": ("label", "truth"),
    **dict.fromkeys(("prediction", "predicted", "predicted_label", "y_pred"), ("label",)),
    **dict.fromkeys(("score", "probability", "y_score", "y_prob"), ("score",)),
    **dict.fromkeys(("truth", "target", "y_true", "ground_truth"), ("truth",)),
}
"""Names that a prediction or a truth often has, and the options that it may belong to."""
POSITIVES = (("1", "0"), ("true", "false"), ("True", "False"), ("yes", "no"), ("Yes", "No"), ("Y", "N"), ("y", "n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRequest:
    """What the user gave by option; names are those of the table's columns, None and () where nothing was given."""

    source: str
    scales: tuple[ScaleSpec, ...]
    columns: TableColumns
    timezone: str = UTC
    task: Task | None = None
    identity: str | None = None
    ignored: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    positive: str | None = None
    segments: tuple[tuple[str, str], ...] = ()
    sample_rate: float | None = None
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecProposal:
    """What the spec will say, and *notes*: sentences on what was guessed."""

    description: ReferenceDescription
    task: Task
    scales: tuple[ScaleSpec, ...]
    segments: tuple[SegmentSpec, ...]
    sample_rate: float
    notes: tuple[str, ...]


@dataclass(slots=True)
class _ProposalNotes:
    """Problems and notes collected while proposing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def propose(table: pa.Table, request: ProposalRequest) -> SpecProposal:
    """Return a proposal for *table*.

    Raises:
        SpecError: Columns that are not there, or guesses that cannot be made; all of them at once.
    """
    _require_columns(table, request)
    findings = _ProposalNotes(problems=list(request.columns.problems))
    if not (request.columns.score or request.columns.label or request.columns.value):
        known = ", ".join(table.column_names)
        findings.problems.append(f"expected --score, --label or --value to name the prediction among {known}")
    task = request.task or _task(table, request, findings)
    positive, negative = _sides(table, request, task, findings)
    _require_zone(request, findings)
    proposal = SpecProposal(
        description=ReferenceDescription(
            features=_features(table, request, findings),
            score=request.columns.score,
            label=request.columns.label,
            value=request.columns.value,
            truth=request.columns.truth,
            truth_time=request.columns.truth_time,
            timestamp=request.columns.timestamp,
            lengths=tuple(scale.scale.length for scale in request.scales),
            clock=SeasonClock(Season.HOUR_OF_DAY, request.timezone),
            positive=positive,
            negative=negative,
        ),
        task=task,
        scales=request.scales,
        segments=_segments(table, request, findings),
        sample_rate=_sample_rate(table, request) if request.sample_rate is None else request.sample_rate,
        notes=tuple(findings.notes),
    )
    if findings.problems:
        raise SpecError(request.source, tuple(findings.problems))
    return proposal


def _require_zone(request: ProposalRequest, findings: _ProposalNotes) -> None:
    try:
        known_zone(request.timezone)
    except ValueError as error:
        findings.problems.append(f"--timezone: {error}")


def _require_columns(table: pa.Table, request: ProposalRequest) -> None:
    segments = (column for _, column in request.segments)
    asked = (*astuple(request.columns), request.identity, *request.ignored, *request.categorical, *segments)
    absent = [name for name in dict.fromkeys(asked) if name and name not in table.column_names]
    if absent:
        known = ", ".join(table.column_names)
        raise SpecError(request.source, tuple(f"column {name!r}: expected one of {known}" for name in absent))


def _features(
    table: pa.Table, request: ProposalRequest, findings: _ProposalNotes
) -> tuple[tuple[str, ColumnKind], ...]:
    own_columns = {*astuple(request.columns), request.identity}
    features = []
    for name in table.column_names:
        if name in own_columns or name in request.ignored:
            continue
        if request.identity is None and name in IDENTITY_NAMES and pc.count_distinct(table[name]).as_py() == len(table):
            findings.notes.append(f"{name}: taken for the prediction id (another value in each row), not a feature")
            continue
        if name == LATENCY_COLUMN or name.startswith(PREDICTION_PREFIX):
            findings.notes.append(f"{name}: not a feature, the name belongs to a part of the prediction event")
            continue
        kind = _kind(table[name], name, request, findings)
        reason = uncountable_reason(table[name], column=CountedColumn(name=name, source=name, kind=kind))
        if reason is None:
            features.append((name, kind))
            notes = (_mixed_note(table[name], name, kind), _named_as_prediction(name, request))
            findings.notes.extend(note for note in notes if note)
        elif request.drop:
            findings.notes.append(f"{name}: left out: {reason}")
        else:
            time = request.columns.timestamp is None and pa.types.is_temporal(table[name].type)
            hint = f"name it with --timestamp {name}, or " if time else ""
            findings.problems.append(f"column {name!r}: {reason}; {hint}leave it out with --ignore {name}, or --drop")
    return tuple(features)


def _kind(values: pa.ChunkedArray, name: str, request: ProposalRequest, findings: _ProposalNotes) -> ColumnKind:
    kind = natural_kind(values.type) or ColumnKind.CATEGORICAL  # what cannot be counted is refused as either
    if kind is ColumnKind.CATEGORICAL or name in request.categorical:
        return ColumnKind.CATEGORICAL
    if pc.count_distinct(values, mode="only_valid").as_py() == 1:
        findings.notes.append(f"{name}: always the same number; categorical, so that any other value is unseen")
        return ColumnKind.CATEGORICAL
    return ColumnKind.NUMERIC


def _mixed_note(values: pa.ChunkedArray, name: str, kind: ColumnKind) -> str | None:
    """Return what to say of a categorical column most of whose categories are numbers; None for others."""
    if kind is not ColumnKind.CATEGORICAL or natural_kind(values.type) is ColumnKind.NUMERIC:
        return None
    categories = text_column(values).categories
    other = [category for category in categories if not is_number(category)]
    if len(categories) < MIXED_CATEGORIES or not 0 < len(other) <= len(categories) // 2:
        return None
    return (
        f"{name}: mixed types? {len(categories) - len(other)} of {len(categories)} categories are numbers, but "
        f"{other[0]!r} is none; if it is a number, repair or empty the others, else it is counted by category"
    )


def _named_as_prediction(name: str, request: ProposalRequest) -> str | None:
    """Return what to say of a feature that has the name of a prediction or a truth; None of others."""
    options = NAMES_OF_OPTIONS.get(name.lower())
    if options is None:
        return None
    columns = request.columns
    unused = [
        f"--{option} {name}"
        for option in options
        # A prediction that is a number has no score and no label.
        if getattr(columns, option) is None and (option == "truth" or columns.value is None)
    ]
    named = f"name it with {' or '.join(unused)}, or " if unused else ""
    return (
        f"{name}: taken for a feature, so every event has to carry it in `features`; if it is what was predicted or "
        f"came true, {named}leave it out with --ignore {name}"
    )


def _task(table: pa.Table, request: ProposalRequest, findings: _ProposalNotes) -> Task:
    if request.columns.value:
        task = Task.REGRESSION
    else:
        classes = _classes(table, request)
        task = Task.MULTICLASS if len(classes) > 2 else Task.BINARY
    findings.notes.append(f"task: guessed {task}; --task says otherwise")
    return task


def _classes(table: pa.Table, request: ProposalRequest) -> tuple[str, ...]:
    classes: set[str] = set()
    for name in (request.columns.truth, request.columns.label):
        if name is not None and natural_kind(table[name].type) is not None:
            classes |= set(text_column(table[name]).categories)
    return tuple(sorted(classes))


def _sides(table: pa.Table, request: ProposalRequest, task: Task, findings: _ProposalNotes) -> tuple[str, str]:
    """Return the positive and the negative class; those of the spec's defaults where the task has none."""
    if task is not Task.BINARY:
        return "1", "0"
    classes = _classes(table, request)
    if len(classes) > 2:
        findings.problems.append(f"task {task}: expected two classes, found {len(classes)}: {', '.join(classes[:5])} …")
        return "1", "0"
    if request.positive is not None:
        others = [class_ for class_ in classes if class_ != request.positive]
        if classes and len(others) == len(classes):
            findings.problems.append(f"--positive {request.positive}: expected one of {', '.join(classes)}")
        return request.positive, others[0] if others else f"not {request.positive}"
    for positive, negative in POSITIVES:
        if set(classes) <= {positive, negative}:
            return positive, negative
    findings.problems.append(f"--positive: expected which of {', '.join(classes)} counts as positive, found none")
    return "1", "0"


def _segments(table: pa.Table, request: ProposalRequest, findings: _ProposalNotes) -> tuple[SegmentSpec, ...]:
    segments = []
    for tag, column in request.segments:
        try:
            column_values = text_column(table[column])
        except UncountableColumn as error:
            findings.problems.append(f"--segment {tag}:{column}: {error}")
            continue
        frequency = np.bincount(column_values.codes[column_values.codes >= 0], minlength=len(column_values.categories))
        most_frequent = np.argsort(-frequency, kind="stable")[:SEGMENT_VALUES]
        values = tuple(column_values.categories[index] for index in most_frequent)
        if not values:
            findings.problems.append(f"--segment {tag}:{column}: expected values, found none")
            continue
        if len(column_values.categories) > SEGMENT_VALUES:
            findings.notes.append(f"segment {tag}: the {SEGMENT_VALUES} most frequent values; the rest is `other`")
        segments.append(SegmentSpec(tag=tag, values=values))
    return tuple(segments)


def _sample_rate(table: pa.Table, request: ProposalRequest) -> float:
    """Return `ledger_rate` at the reference's pace."""
    if request.columns.timestamp is None:
        return 1.0
    try:
        times = epoch_millis(table[request.columns.timestamp])
    except UncountableColumn:
        return 1.0  # `build_profile` names the problem
    return ledger_rate(len(table), span_millis=int(times.max() - times.min()))


def ledger_rate(rows: int, *, span_millis: int) -> float:
    """Return the rate, in hundredths, that keeps the ledger under a million rows a day at this pace."""
    # A reference of a minute says little of a day, but an hour of it is the least that one can go by.
    days = max(span_millis / DAY_MILLIS, 1 / 24)
    return min(1.0, max(1, int(100 * LEDGER_ROWS_PER_DAY * days / max(rows, 1))) / 100)

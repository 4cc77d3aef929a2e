"""Checks whether a reference fits the spec, and lists remarks on its quality."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.humanize import duration_words, span_text
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.layout import ColumnCells, ColumnRole, ColumnSpan, Slot
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind, ColumnRule, DriftRule, ModelSpec, Seasonality
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS

AGAIN = "run `driftline init` again"
ANYTIME_LENGTH = 10  # minutes over which a column of `rule: anytime` must hold still

BLOCKS_NEEDED = 5
BLOCK_VALUES = 50  # as of `natural_movement`
OFTEN_MISSING = 0.5


def disagreements(spec: ModelSpec, profile: ReferenceProfile) -> tuple[str, ...]:
    """Return each point on which the two disagree as ``key: expected …, found …``; empty when they agree."""
    layout = profile.layout.columns
    features = {column.name: column for column in layout if column.role is ColumnRole.FEATURE}
    problems = []
    for name, column in spec.columns.items():
        if name not in features:
            problems.append(f"columns.{name}: expected a column of the reference, found none; {AGAIN}, or remove it")
        elif features[name].kind is not column.kind:
            kind = features[name].kind
            problems.append(f"columns.{name}.kind: expected {kind} as in the reference, found {column.kind}; {AGAIN}")
    problems += [
        f"columns.{name}: expected the reference's column, found none; add it, with `monitor: false` if need be"
        for name in features
        if name not in spec.columns
    ]
    counted = {column.role for column in layout}
    for role, wanted in (
        (ColumnRole.SCORE, spec.prediction.score),
        (ColumnRole.LABEL, spec.prediction.label),
        (ColumnRole.VALUE, spec.prediction.value),
    ):
        if wanted and role not in counted:
            problems.append(f"{PREDICTION_PREFIX}{role}: expected a {role} in the reference, found none; {AGAIN}")
        if not wanted and role in counted:
            problems.append(f"{PREDICTION_PREFIX}{role}: expected true as in the reference, found false")
    return (*problems, *_other_hours(spec, profile), *anytime_problems(spec, profile))


def _other_hours(spec: ModelSpec, profile: ReferenceProfile) -> Iterator[str]:
    drift = spec.drift
    compared = drift.seasonality is not Seasonality.NONE and drift.rule is not DriftRule.TEXTBOOK
    if profile.season is not None and compared and drift.timezone != profile.timezone:
        yield (
            f"drift.timezone: expected {profile.timezone}, in whose hours the reference was counted, found "
            f"{drift.timezone}; build the reference again: `driftline reference build`, or `driftline init --timezone`"
        )


def anytime_problems(spec: ModelSpec, profile: ReferenceProfile) -> tuple[str, ...]:
    """Return each column of `rule: anytime` whose natural movement is not known to be small, as a sentence.

    The anytime-valid detector takes every lasting change for one, natural movement too: refused is a column whose
    kappa over ten minutes (or the nearest measured length) exceeds the sampling variance 1/n + 1/m of the reference's
    own traffic (statistics §4), and one whose movement was not measured.
    """
    references = {column.name: column for column in profile.columns}
    problems = []
    for name, column in spec.columns.items():
        if column.rule is not ColumnRule.ANYTIME or name not in references:
            continue
        key, instead = f"columns.{name}.rule", "use `rule: default`"
        length = _nearest_measured(references[name], ANYTIME_LENGTH)
        if length is None:
            problems.append(
                f"{key}: expected a column whose movement was measured (a reference with time stamps, over several "
                f"windows), found none; {instead}, or {AGAIN} with --timestamp"
            )
            continue
        kappa, sampling = references[name].movement[length].kappa, _sampling_variance(profile, name, length)
        if kappa > sampling:
            problems.append(
                f"{key}: anytime expected natural movement under the sampling variance {sampling:.2g} in "
                f"{span_text(length)}, found {kappa:.2g}; {instead}"
            )
    return tuple(problems)


def _nearest_measured(column: ColumnReference, length: int) -> int | None:
    measured = [minutes for minutes, movement in column.movement.items() if movement.status is Calibration.MEASURED]
    return min(measured, key=lambda minutes: (abs(minutes - length), minutes), default=None)


def _sampling_variance(profile: ReferenceProfile, name: str, length: int) -> float:
    """Return 1/n + 1/m: m values of the column in the reference, n of them in *length* minutes with traffic."""
    place = next(index for index, cells in enumerate(profile.layout.columns) if cells.name == name)
    span = profile.layout.spans[place]
    m = float(profile.counts[span.start : span.slots].sum())
    n = m * length / (len(profile.block_starts) * profile.block_minutes)
    return 1.0 / n + 1.0 / m


def uncalibrated_lengths(spec: ModelSpec, profile: ReferenceProfile) -> tuple[int, ...]:
    """Return the window lengths in minutes at which no judged column's natural movement was measured."""
    judged = [
        column
        for column, cells in zip(profile.columns, profile.layout.columns, strict=True)
        if cells.role is not ColumnRole.LATENCY and (cells.name not in spec.columns or spec.columns[cells.name].monitor)
    ]
    known = {
        length
        for column in judged
        for length, movement in column.movement.items()
        if movement.status is not Calibration.UNCALIBRATED
    }
    return tuple(scale.length for scale in spec.scales if scale.length not in known)


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about one column, or about the whole reference (*column* None)."""

    column: str | None
    sentence: str

    @property
    def text(self) -> str:
        """The sentence with the column that it is about."""
        return self.sentence if self.column is None else f"{self.column}: {self.sentence}"


def remarks(profile: ReferenceProfile, *, lengths: Sequence[int]) -> tuple[Remark, ...]:
    """Return the remarks: on the reference's time first, then column by column in the order of the layout.

    Args:
        lengths: Window lengths in minutes that will be judged.
    """
    all_remarks = [Remark(None, sentence) for sentence in _of_time(profile, lengths)]
    columns = zip(profile.layout.columns, profile.layout.spans, profile.columns, strict=True)
    for cells, span, reference in columns:
        if cells.role is not ColumnRole.LATENCY:
            all_remarks += [Remark(cells.name, sentence) for sentence in _of_column(profile, cells, span, reference)]
    return tuple(all_remarks)


def constant_value(cells: ColumnCells) -> str | None:
    """Return the one value that a column has in the reference; None where it has several."""
    if cells.role is ColumnRole.LATENCY or cells.cells != 1:
        return None
    if cells.kind is ColumnKind.CATEGORICAL:
        return cells.categories[0]
    return f"{cells.edges[0]:g}" if cells.points[0] else None


def measured_lengths(profile: ReferenceProfile, lengths: Sequence[int]) -> tuple[int, ...]:
    """Return those of *lengths* at which the movement of at least one column was measured."""
    return tuple(
        length
        for length in lengths
        if any(
            length in column.movement and column.movement[length].status is Calibration.MEASURED
            for column in profile.columns
        )
    )


def _of_time(profile: ReferenceProfile, lengths: Sequence[int]) -> Iterator[str]:
    if profile.start is None or profile.end is None:
        yield (
            "It has no time stamps: the natural movement of columns is unknown (`uncalibrated`), so a daily cycle can "
            "alarm. Name the column of times with --timestamp."
        )
        return
    measured = measured_lengths(profile, lengths)
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # One block more than is needed, for blocks are aligned and those at the ends are cut.
    short = [length for length in lengths if length not in measured and minutes < (BLOCKS_NEEDED + 1) * length]
    thin = [length for length in lengths if length not in measured and length not in short]
    if short:
        instead = f"that of {span_text(max(measured))} (`estimated`)" if measured else "unknown (`uncalibrated`)"
        yield (
            f"It covers {duration_words(minutes)}: the natural movement of columns at {_names(short)} is {instead}."
            f" {BLOCKS_NEEDED} blocks of a length measure it: {duration_words((BLOCKS_NEEDED + 1) * short[0])} for "
            f"{span_text(short[0])}."
        )
    if thin:
        values = profile.rows * thin[0] / max(minutes, 1)
        yield (
            f"Too few rows at a time to measure natural movement at {_names(thin)}: about {values:,.0f} in "
            f"{span_text(thin[0])}, and a block needs {BLOCK_VALUES} values of a column."
        )


def _of_column(
    profile: ReferenceProfile, cells: ColumnCells, span: ColumnSpan, reference: ColumnReference
) -> Iterator[str]:
    counts = profile.counts[span.start : span.slots]
    missing, invalid = (profile.counts[span.slots + slot] / profile.rows for slot in (Slot.MISSING, Slot.INVALID))
    value = constant_value(cells)
    if value is not None:
        yield f"always {value}: nothing for PSI to compare; any other value will be called unseen"
    elif max(reference.bins, default=0) == 0:
        share = counts.max() / max(counts.sum(), 1)
        yield f"one value makes {share:.1%}, all others no bin of 1 %: PSI sees nothing, only the shares are judged"
    if missing >= OFTEN_MISSING:
        yield f"{missing:.1%} missing: it is judged by what is left, and a window needs its min_events of that"
    if invalid > 0:
        yield (
            f"{invalid:.2%} not finite (NaN, infinity), counted as invalid; where producers send null for these, "
            "write null here too, else the share of invalid values seems to fall"
        )


def _names(lengths: Sequence[int]) -> str:
    return ", ".join(map(span_text, lengths))

"""Prints what a command that built a reference profile reports of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.cli.files import named_files
from driftline.cli.output import print_line, print_table
from monitor.humanize import span_text
from monitor.performance.expected_accuracy import drop_levels, floor_levels, reference_accuracy
from monitor.planning.reference_report import few_rows
from monitor.reference.checks import Remark, remarks
from monitor.reference.layout import ColumnRole, Slot
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.reference.version_checks import version_remarks
from monitor.spec.model import ModelSpec, Task
from monitor.truth_age import AgeBucket, age_words
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLine:
    """One column, as `--json` shows it."""

    name: str
    kind: str
    role: str
    cells: int
    missing: float | None
    importance: float | None


def column_lines(profile: ReferenceProfile) -> tuple[ColumnLine, ...]:
    """Return a line for each column of the layout."""
    return tuple(
        ColumnLine(
            name=column.name,
            kind=column.kind.value,
            role=column.role.value,
            cells=column.cells,
            missing=None if column.role is ColumnRole.LATENCY else float(profile.counts[span.slots] / profile.rows),
            importance=profile.importance.get(column.name),
        )
        for column, span in zip(profile.layout.columns, profile.layout.spans, strict=True)
    )


def rows_text(profile: ReferenceProfile) -> str:
    """Return how many rows there are, and of weighed ones what they are worth."""
    if profile.weighed_rows:
        return f"{profile.weighed_rows:,} weighed rows worth {profile.rows:,}"
    return f"{profile.rows:,} rows"


def print_profile(profile: ReferenceProfile, spec: ModelSpec, *, remarks: Sequence[Remark]) -> None:
    """Print columns, accuracy and remarks of *profile*, and which accuracy *spec* makes a finding."""
    lengths = [scale.length for scale in spec.scales]
    rows = []
    for column, span, reference in zip(profile.layout.columns, profile.layout.spans, profile.columns, strict=True):
        missing = profile.counts[span.slots + Slot.MISSING] / profile.rows
        overdispersion = _overdispersion(profile, reference, lengths) if reference.movement else "fixed cells"
        rows.append((column.name, column.kind.value, column.cells, f"{missing:.1%}", overdispersion))
    print_table(
        f"{rows_text(profile)} of {profile.source}",
        ("column", "kind", "cells", "missing", "natural movement"),
        rows,
        empty="no columns",
    )
    if profile.labelled:
        print_line(
            f"Accuracy of the reference: {profile.correct / profile.labelled:.4f} of {profile.labelled:,} truths."
        )
        print_line(_ages_text(profile))
    if lines := accuracy_lines(profile, spec):
        print_line(f"Accuracy that is proven to lie under a line: {_lines_text(lines)}.")
    for remark in remarks:
        print_line(f"- {remark.text}")


def _ages_text(profile: ReferenceProfile) -> str:
    """Return with what windows of young truths are compared."""
    if not profile.truth_ages:
        return "Windows are compared with all of them, however young their own truths; --truth-time knows better."
    ages = ", ".join(
        f"{correct / labelled:.3f} {age_words(AgeBucket(age))} ({labelled:,})"
        for age, labelled, correct in profile.truth_ages
    )
    return f"Accuracy by the age of the truth, with which windows of such truths are compared: {ages}."


def accuracy_lines(profile: ReferenceProfile, spec: ModelSpec) -> dict[str, float]:
    """Return by tier, lowest first, under which accuracy it is a finding; without the tiers that cannot be reached."""
    if spec.task is Task.REGRESSION:
        return {}
    expected = reference_accuracy(profile).expected({})
    lines: dict[str, float] = {}
    for level in (*drop_levels(expected, spec.accuracy), *floor_levels(spec.accuracy)):
        if level.accuracy > 0.0:
            lines[level.tier.word] = max(round(level.accuracy, 4), lines.get(level.tier.word, 0.0))
    return lines


def _lines_text(lines: Mapping[str, float]) -> str:
    return ", ".join(f"{accuracy:.3f} {tier}" for tier, accuracy in lines.items())


def built_remarks(
    profile: ReferenceProfile, spec: ModelSpec, *, notes: tuple[str, ...], of_version: bool = False
) -> tuple[Remark, ...]:
    """Return everything to be said of a profile: *notes* on its making, its size, its time, its columns.

    Args:
        of_version: Only its prediction is used, on the model's cells and with the model's natural movement.
    """
    small = few_rows(spec, profile)
    said = [*notes, *([small] if small else [])]
    lengths = [scale.length for scale in spec.scales]
    return (
        *(Remark(None, name) for name in said),
        *(version_remarks(profile, lengths=lengths) if of_version else remarks(profile, lengths=lengths)),
    )


def write_profile(encoded: bytes, path: Path) -> None:
    """Write a profile so that a reader sees the old file or the new one, never half of it."""
    with named_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(encoded)
        part.replace(path)


def _overdispersion(profile: ReferenceProfile, column: ColumnReference, lengths: Sequence[int]) -> str:
    """Return a column's variance as a multiple of sampling's at the measured scale nearest to an hour: `×1.8 at 1h`."""
    measured = [length for length in lengths if column.movement[length].status is Calibration.MEASURED]
    if not measured:
        return "uncalibrated"
    length = min(measured, key=lambda minutes: abs(minutes - 60))
    span = (profile.end or 0) - (profile.start or 0)
    in_window = profile.rows * min(1.0, length * MINUTE_MILLIS / max(span, 1))
    factor = 1.0 + column.movement[length].kappa / (1.0 / in_window + 1.0 / profile.rows)
    return f"×{factor:.1f} at {span_text(length)}"

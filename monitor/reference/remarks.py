"""What is odd about a reference, each as a sentence that says what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.reference.cells import ColumnCells, ColumnRole, ColumnSpan, Slot
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec import ColumnKind
from monitor.types import MINUTE_MILLIS, span_text

BLOCKS_NEEDED = 5
BLOCK_VALUES = 50  # as of `natural_movement`
OFTEN_MISSING = 0.5


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
    found = [Remark(None, sentence) for sentence in _of_time(profile, lengths)]
    columns = zip(profile.layout.columns, profile.layout.spans, profile.columns, strict=True)
    for cells, span, reference in columns:
        if cells.role is not ColumnRole.LATENCY:
            found += [Remark(cells.name, sentence) for sentence in _of_column(profile, cells, span, reference)]
    return tuple(found)


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
        if any(length in each.movement and each.movement[length].status == "measured" for each in profile.columns)
    )


def _of_time(profile: ReferenceProfile, lengths: Sequence[int]) -> Iterator[str]:
    if profile.start is None or profile.end is None:
        yield (
            "It has no time stamps: how much columns move by themselves is unknown (`uncalibrated`), so a daily cycle "
            "can alarm. Name the column of times with --timestamp."
        )
        return
    measured = measured_lengths(profile, lengths)
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # One block more than is needed, for blocks are aligned and those at the ends are cut.
    short = [each for each in lengths if each not in measured and minutes < (BLOCKS_NEEDED + 1) * each]
    thin = [each for each in lengths if each not in measured and each not in short]
    if short:
        instead = f"taken from {span_text(max(measured))} (`estimated`)" if measured else "unknown (`uncalibrated`)"
        yield (
            f"It covers {_span(minutes)}: how much columns move by themselves at {_names(short)} is {instead}. "
            f"{BLOCKS_NEEDED} blocks of a length measure it: {_span((BLOCKS_NEEDED + 1) * short[0])} for "
            f"{span_text(short[0])}."
        )
    if thin:
        values = profile.rows * thin[0] / max(minutes, 1)
        yield (
            f"Too few rows at a time to measure how columns move at {_names(thin)}: about {values:,.0f} in "
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


def _span(minutes: float) -> str:
    if minutes >= 2 * 1440:
        return f"{minutes / 1440:.1f} days"
    return f"{minutes / 60:.1f} hours" if minutes >= 120 else f"{minutes:.0f} minutes"

"""Remarks on a version's own reference: a profile of which only the prediction is used, on the model's cells."""

from collections.abc import Iterator, Sequence

from monitor.humanize import span_text
from monitor.reference.checks import Remark, remarks
from monitor.reference.layout import ColumnCells, ColumnSpan, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind

OFTEN_OUTSIDE = 0.05
"""Share of values that are in no cell, from which on it is said."""


def version_remarks(profile: ReferenceProfile, *, lengths: Sequence[int]) -> tuple[Remark, ...]:
    """Return the remarks: on the reference's time first, then on the columns of the prediction.

    Nothing on natural movement and inputs: those stay the model's.

    Args:
        lengths: Window lengths in minutes that will be judged.
    """
    said = []
    if profile.start is None:
        sentence = (
            "It has no time stamps: its values count as those of one stretch as long as the longest window, "
            f"{span_text(max(lengths))}. Name the column of times with --timestamp."
        )
        said.append(Remark(None, sentence))
    predictions = {
        cells.name: (cells, span)
        for cells, span in zip(profile.layout.columns, profile.layout.spans, strict=True)
        if cells.role.of_prediction
    }
    said += [remark for remark in remarks(profile, lengths=lengths) if remark.column in predictions]
    for name, (cells, span) in predictions.items():
        said += [Remark(name, sentence) for sentence in _outside(profile, cells, span)]
    return tuple(said)


def _outside(profile: ReferenceProfile, cells: ColumnCells, span: ColumnSpan) -> Iterator[str]:
    """Values that no cell holds are in one slot, however far they are apart."""
    if cells.kind is not ColumnKind.NUMERIC:
        return
    low, high = (int(profile.counts[span.slots + slot]) for slot in (Slot.BELOW, Slot.ABOVE))
    values = max(int(profile.counts[span.start : span.slots].sum()) + low + high, 1)
    for outside, where, edge in ((low, "under", cells.edges[0]), (high, "over", cells.maximum)):
        if outside / values >= OFTEN_OUTSIDE:
            yield (
                f"{outside / values:.0%} of its values lie {where} {edge:.4g}, where the model's cells end; how they "
                "move among themselves is not seen. Cells that reach them: a reference of the model with rows of both "
                "versions"
            )

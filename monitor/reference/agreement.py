"""Whether a spec and a reference profile speak of the same columns."""

from monitor.reference.cells import ColumnRole
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ModelSpec

AGAIN = "run `driftline init` again"


def disagreements(spec: ModelSpec, profile: ReferenceProfile) -> tuple[str, ...]:
    """Return each point on which the two disagree as ``key: expected …, found …``; empty when they agree."""
    layout = profile.layout.columns
    features = {column.name: column for column in layout if column.role is ColumnRole.FEATURE}
    problems = []
    for name, column in spec.columns.items():
        if name not in features:
            problems.append(f"columns.{name}: expected a column of the reference, found none; {AGAIN}, or remove it")
        elif features[name].kind is not column.kind:
            found = features[name].kind
            problems.append(f"columns.{name}.kind: expected {found} as in the reference, found {column.kind}; {AGAIN}")
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
    return tuple(problems)


def uncalibrated_lengths(spec: ModelSpec, profile: ReferenceProfile) -> tuple[int, ...]:
    """Return the window lengths in minutes at which no judged column's natural movement was measured."""
    judged = [
        column
        for column, cells in zip(profile.columns, profile.layout.columns, strict=True)
        if cells.role is not ColumnRole.LATENCY and (cells.name not in spec.columns or spec.columns[cells.name].monitor)
    ]
    known = {
        length for column in judged for length, movement in column.movement.items() if movement.status != "uncalibrated"
    }
    return tuple(scale.length for scale in spec.scales if scale.length not in known)

"""Whether a spec and a reference profile speak of the same columns."""

from monitor.reference.cells import ColumnRole
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec import ModelSpec
from monitor.types import span_text

AGAIN = "run `driftline init` again"
ANYTIME_LENGTH = 10  # minutes over which a column of `rule: anytime` must hold still


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
    return (*problems, *anytime_problems(spec, profile))


def anytime_problems(spec: ModelSpec, profile: ReferenceProfile) -> tuple[str, ...]:
    """Return each column of `rule: anytime` that is not known to hold still, as ``key: expected …, found …``.

    The anytime-valid detector takes every lasting change for one, natural movement too: refused is a column whose
    kappa over ten minutes (or the nearest measured length) exceeds the sampling variance 1/n + 1/m of the reference's
    own traffic (statistics §4), and one whose movement was not measured.
    """
    references = {each.name: each for each in profile.columns}
    problems = []
    for name, column in spec.columns.items():
        if column.rule != "anytime" or name not in references:
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
                f"{key}: anytime expected a column that moves by itself less than sampling makes it seem (variance "
                f"{sampling:.2g} in {span_text(length)}), found {kappa:.2g}; {instead}"
            )
    return tuple(problems)


def _nearest_measured(column: ColumnReference, length: int) -> int | None:
    measured = [each for each, movement in column.movement.items() if movement.status == "measured"]
    return min(measured, key=lambda each: (abs(each - length), each), default=None)


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
        length for column in judged for length, movement in column.movement.items() if movement.status != "uncalibrated"
    }
    return tuple(scale.length for scale in spec.scales if scale.length not in known)

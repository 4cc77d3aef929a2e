"""The spec that a reference profile implies, for looking at one without its own."""

from monitor.reference.cells import ColumnRole
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ColumnSpec, ModelSpec, PredictionSpec, Task


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

"""The model that the figures of docs/statistics.md are of: twenty normal columns and a score, and nothing moves."""

from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from monitor.detection import prepare_reference
from monitor.planning import Plan, Traffic, plan_of
from monitor.planning.column_comparison import ColumnComparison, comparisons_at
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.stats.movement_level import MovementLevel
from monitor.types import Calibration

COLUMNS, ROWS = 20, 20_000
ONE_TEST = 1e-5
"""Error probability of one test, for the figures that are of a column and not of a model."""


@cache
def reference() -> ReferenceProfile:
    """Return the reference: the quantiles of a normal column, so that no figure hangs on a seed."""
    values = ndtri((np.arange(ROWS) + 0.5) / ROWS)
    names = [f"x{number}" for number in range(COLUMNS)]
    table = pa.table(dict.fromkeys(names, values) | {"score": (np.arange(ROWS) + 0.5) / ROWS})
    features = tuple((name, ColumnKind.NUMERIC) for name in names)
    return build_profile(table, description=ReferenceDescription(features=features, score="score"), source="quantiles")


def spec(*, alpha: float = 0.001) -> ModelSpec:
    """Return the spec with the default scales and tiers."""
    columns = {f"x{number}": {"kind": "numeric"} for number in range(COLUMNS)}
    return ModelSpec.model_validate(
        {
            "model": "model",
            "task": "binary_classification",
            "reference": "model.reference",
            "columns": columns,
            "prediction": {"score": True},
            "drift": {"alpha": alpha},
        }
    )


@cache
def planned(events_per_minute: float, *, alpha: float = 0.001) -> Plan:
    """Return the plan of the model at this traffic."""
    return plan_of(
        spec(alpha=alpha), reference(), traffic=Traffic(events_per_minute=events_per_minute, source="figures")
    )


def column(*, alpha: float = ONE_TEST, rows: int = ROWS, kappa: float = 0.0) -> ColumnComparison:
    """Return one of its columns, with another error probability, reference or natural movement."""
    chosen = spec()
    result = comparisons_at(prepare_reference(chosen, reference()), chosen.scales[0])[0]
    return replace(
        result,
        alpha=alpha,
        m=float(rows),
        m_half=float(rows),
        kappa=kappa,
        kappa_half=kappa,
        level=MovementLevel(kappa=kappa, nu=result.bins - 1.0),
        status=Calibration.MEASURED,
    )

"""The spec and the reference profile that a stream's model gets: the defaults, as `driftline init` proposes them."""

from typing import Any

import pyarrow as pa

from benchmarks.detection.stream import LABEL, SCORE, TIME, TRUTH, Stream
from monitor.reference.arrow_columns import natural_kind
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind, ModelSpec


def spec_of(stream: Stream, *, scales: tuple[tuple[int, int], ...] = (), anytime: bool = False) -> ModelSpec:
    """Return a spec with the default windows, tiers and rule settings, whose actions are recorded and not sent.

    Args:
        scales: Length and step in minutes; empty: the default ones.
        anytime: Features have the optional rule that looks at every pane.
    """
    rule = "anytime" if anytime else "default"
    document: dict[str, Any] = {
        "model": "benchmark",
        "task": "binary_classification",
        "reference": "benchmark.reference",
        "columns": {name: {"kind": _kind(stream.reference, name), "rule": rule} for name in stream.features},
        "prediction": {"score": SCORE in stream.watched or not stream.has_truths, "label": stream.has_truths},
        "actions": {"retraining": {"mode": "dry_run"}, "rollback": {"mode": "dry_run"}},
    }
    if scales:
        document["windows"] = {"scales": [{"length": f"{length}m", "step": f"{step}m"} for length, step in scales]}
    return ModelSpec.model_validate(document)


def profile_of(stream: Stream, spec: ModelSpec) -> ReferenceProfile:
    """Return the profile of the stream's reference for the window lengths of *spec*."""
    columns = stream.reference.column_names
    return build_profile(
        stream.reference,
        description=ReferenceDescription(
            features=tuple((name, _kind(stream.reference, name)) for name in stream.features),
            score=SCORE if SCORE in columns else None,
            label=LABEL if LABEL in columns else None,
            truth=TRUTH if TRUTH in columns else None,
            timestamp=TIME,
            lengths=tuple(scale.length for scale in spec.scales),
        ),
        source=stream.name,
    )


def _kind(table: pa.Table, name: str) -> ColumnKind:
    kind = natural_kind(table[name].type)
    if kind is None:
        raise ValueError(f"{name}: expected numbers or categories, found {table[name].type}")
    return kind

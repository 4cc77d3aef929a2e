"""The metrics' file keeps what it promises."""

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from monitor import metrics
from monitor.metrics import CollectedMetric
from monitor.types import DeliveryState, EffectKind

LABELS = {
    *("topic", "result", "reason", "partition", "model", "verdict", "kind", "state", "loop", "tier", "endpoint"),
    *("version", "column"),
}


def test_every_metric_is_named_documented_and_bounded() -> None:
    """`driftline_…`, a sentence of help, labels from closed lists, topics of the settings or known models only."""
    results = [var for var in vars(metrics).values() if isinstance(var, Counter | Gauge | Histogram)]
    assert len(results) >= 15
    for value in results:
        (family,) = value.describe()
        assert family.name.startswith("driftline_")
        assert family.documentation.endswith(".")
        assert set(value._labelnames) <= LABELS - {"version", "column"}
    collected = [var for var in vars(metrics).values() if isinstance(var, CollectedMetric)]
    assert len(collected) >= 13
    for metric in collected:
        assert metric.name.startswith("driftline_")
        assert metric.name.endswith("_total") is metric.counter
        assert metric.documentation.endswith(".")
        assert set(metric.labels) <= LABELS


@pytest.mark.parametrize("kind", EffectKind)
def test_losses_are_counted_from_zero(kind: EffectKind) -> None:
    """The first one must be an increase to Prometheus, which sees none where a series begins with 1."""
    for state in (DeliveryState.DEAD, DeliveryState.EXPIRED):
        labels = {"kind": kind.value, "result": state.value}
        assert REGISTRY.get_sample_value("driftline_deliveries_total", labels) is not None

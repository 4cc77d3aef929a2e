"""The metrics' file keeps what it promises."""

from prometheus_client import Counter, Gauge, Histogram

from monitor import metrics

LABELS = {"topic", "result", "reason", "partition", "model", "verdict", "kind", "state", "loop"}


def test_every_metric_is_named_documented_and_bounded() -> None:
    """`driftline_…`, a sentence of help, labels from closed lists, topics of the settings or known models only."""
    results = [var for var in vars(metrics).values() if isinstance(var, Counter | Gauge | Histogram)]
    assert len(results) >= 15
    for value in results:
        (family,) = value.describe()
        assert family.name.startswith("driftline_")
        assert family.documentation.endswith(".")
        assert set(value._labelnames) <= LABELS

"""Every Prometheus metric of every role, in one place.

Label values come from closed lists, from the settings (topics) or from applied specs (models); never from messages, so
the number of series is bounded whatever is produced.
"""

from dataclasses import dataclass
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from monitor.types import DeliveryState, EffectKind

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# ingest ---------------------------------------------------------------------------------------------------------------

# result: counted, duplicate, late, dead, unsampled
RECORDS = Counter("driftline_records_total", "Records flushed, by what became of them.", ["topic", "result"])
SKIPPED_OFFSETS = Counter(
    "driftline_skipped_offsets_total",
    "Offsets at which the broker has no record for us: markers, aborted transactions, compaction.",
    ["topic"],
)
UNACCOUNTED_PARTITIONS = Gauge(
    "driftline_unaccounted_partitions",
    "Partitions of this worker whose records and explained holes do not add up to the offsets passed.",
)
# reason: see monitor.types.DeadLetterReason
DEAD_LETTERS = Counter("driftline_dead_letters_total", "Records refused, by reason.", ["reason"])
FLUSH_SECONDS = Histogram("driftline_flush_seconds", "Duration of one flush transaction.", buckets=_SECONDS)
FLUSH_RECORDS = Histogram(
    "driftline_flush_records", "Records of one flush.", buckets=(1, 10, 100, 1_000, 10_000, 50_000, 100_000)
)
FENCED_FLUSHES = Counter("driftline_fenced_flushes_total", "Flushes refused because another worker moved the offset.")
LAG_RECORDS = Gauge(
    "driftline_lag_records", "Records between our position and the partition's end.", ["topic", "partition"]
)
PAUSED_PARTITIONS = Gauge("driftline_paused_partitions", "Partitions of this worker that stand still until resumed.")

# evaluation and alerting ----------------------------------------------------------------------------------------------

# verdict: see monitor.types.Verdict
WINDOWS_EVALUATED = Counter("driftline_windows_evaluated_total", "Windows evaluated.", ["model", "verdict"])
EVALUATION_SECONDS = Histogram("driftline_evaluation_seconds", "Duration of one model's turn.", buckets=_SECONDS)
# kind: retraining, rollback; state: see the action table
ACTIONS = Counter("driftline_actions_total", "Actions decided, refused ones too.", ["kind", "state"])
# kind: notification, action; result: done, retry, unknown, dead, expired
DELIVERIES = Counter("driftline_deliveries_total", "Attempts to deliver, by how they ended.", ["kind", "result"])
for _kind, _result in product(EffectKind, (DeliveryState.DEAD, DeliveryState.EXPIRED)):
    DELIVERIES.labels(_kind.value, _result.value)  # from 0: else the first is no increase
MESSAGES_LOST = Counter("driftline_messages_lost_total", "Messages that no receiver took; the log has what they said.")
DELIVERY_SECONDS = Histogram("driftline_delivery_seconds", "Duration of one attempt to deliver.", buckets=_SECONDS)

# read from Postgres at each scrape: every alerter shows the same ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CollectedMetric:
    """A metric whose values are in Postgres; *counter*: it only grows, and its name ends in `_total`."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()
    counter: bool = False


DATABASE_UP = CollectedMetric(
    "driftline_database_up", "1 while Postgres answers this scrape; else all metrics from there are missing."
)
WATERMARK_TIMESTAMP_SECONDS = CollectedMetric(
    "driftline_watermark_timestamp_seconds", "Event time up to which the predictions of all partitions are counted."
)
WATERMARK_AGE_SECONDS = CollectedMetric(
    "driftline_watermark_age_seconds",
    "Clock minus the watermark of the predictions; it grows while Postgres is away, too.",
)
# kind: see monitor.types.IncidentKind
INCIDENTS_OPEN = CollectedMetric("driftline_incidents_open", "Open incidents.", ("model", "kind"))
# tier: warning, alert, critical
UNACKNOWLEDGED = CollectedMetric("driftline_unacknowledged", "Open incidents that nobody has acknowledged.", ("tier",))
# kind: notification, action
OUTBOX_PENDING = CollectedMetric("driftline_outbox_pending", "Messages and requests that wait to be sent.", ("kind",))
OUTBOX_OLDEST = CollectedMetric(
    "driftline_outbox_oldest_timestamp_seconds", "Since when the oldest of them waits; missing: none does.", ("kind",)
)
ENDPOINT_UP = CollectedMetric(
    "driftline_endpoint_up", "0: something waits for the endpoint, and its last attempts failed.", ("endpoint",)
)
MODEL_TURN_TIMESTAMP_SECONDS = CollectedMetric(
    "driftline_model_turn_timestamp_seconds",
    "When an alerter last looked at a model with nothing in the way; 0: never.",
    ("model",),
)
MODEL_TURN_FAILURES = CollectedMetric(
    "driftline_model_turn_failures_total", "Looks at a model that failed, of all alerters.", ("model",), counter=True
)
HOLDS = CollectedMetric("driftline_holds", "Holds of actions that people placed and nobody released.")
ALERTERS = CollectedMetric("driftline_alerters", "Alerters that share the models.")
# version: one that the stream has had place for (see ADR 10); column: of the applied spec
PSI = CollectedMetric(
    "driftline_psi",
    "Population stability index of the newest window of the model's shortest scale.",
    ("model", "version", "column"),
)

# maintain -------------------------------------------------------------------------------------------------------------

TRUTHS_JOINED = Counter("driftline_truths_joined_total", "Predictions that met their truth.")
PANES_COMPACTED = Counter("driftline_panes_compacted_total", "Pane rows replaced by their sum.")
ROWS_DROPPED = Counter("driftline_rows_dropped_total", "Rows past their retention that were dropped.")

# every role -----------------------------------------------------------------------------------------------------------

HEALTHY = Gauge("driftline_healthy", "1 while /healthz answers 200, else 0.")
# loop: what the role repeats: poll, flush, broker; turn, delivery; batch
PROGRESS_AGE_SECONDS = Gauge("driftline_progress_age_seconds", "Seconds since a loop of this role got on.", ["loop"])

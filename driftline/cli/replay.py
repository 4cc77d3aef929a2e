"""`driftline replay`: a file of past predictions and truths, sent as the events they would have been."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import sqlalchemy as sa
import typer

from consumers.kafka.admin import describe_topics
from consumers.kafka.embedded import EmbeddedBroker
from consumers.kafka.topics import require_topics
from driftline.cli import options
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.output import AsJson, print_json, print_line, progress_bar
from driftline.replay.events import (
    ReplayColumns,
    ReplayTarget,
    TimedRecord,
    event_times,
    in_event_time,
    prediction_records,
    require_columns,
    truth_records,
)
from driftline.replay.rows import read_rows
from driftline.replay.sender import Pace, PacedSender, SendReport
from monitor.clock import iso_utc
from monitor.settings import Settings, load_settings
from monitor.spec.file import read_spec
from monitor.spec.model import ModelSpec
from monitor.store.configuration import load_configuration
from monitor.store.engine import make_engine, require_database
from monitor.store.offsets import list_offsets
from monitor.types import ModelKey, PartitionKey


def replay(
    model: Annotated[str, typer.Option(help="Name of the model, as applied.")],
    predictions: options.PredictionsFile,
    identity: Annotated[str, typer.Option("--id", help="Column with the prediction id.")],
    namespace: options.Namespace = "default",
    truths: options.TruthsFile = None,
    truth: options.TruthColumn = None,
    version: Annotated[str, typer.Option(help="The model version that predicted.")] = "1",
    score: options.ScoreColumn = None,
    label: options.LabelColumn = None,
    value: options.ValueColumn = None,
    features: Annotated[
        str | None, typer.Option(help="Columns a,b,c that are features; default those of the model's spec.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="Spec to take features and tags from; default the applied one.")
    ] = None,
    timestamp: Annotated[str | None, typer.Option(help="Column with the event times.")] = None,
    start: Annotated[str | None, typer.Option(help="Event time of the first row, as 2026-06-01T00:00:00Z.")] = None,
    every: Annotated[str | None, typer.Option(help="Time between two rows: 1s, 5m.")] = None,
    truth_delay: Annotated[str, typer.Option(help="How long after its prediction a truth is sent: 6h, 2d.")] = "0s",
    rate: Annotated[str, typer.Option(help="Records a second, or max.")] = "max",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    max_lag_bytes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Wait while a partition has more unread bytes; on the demo's broker there is a default."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a file of past predictions as events, in the order of their times, each truth when it became known.

    Times are event times: a month passes as fast as the path goes. Among live traffic such events would be late; give
    them a topic of their own (DRIFTLINE_PREDICTIONS_TOPICS).
    """
    settings = load_settings()
    key = ModelKey(namespace, model)
    rows = read_rows(predictions, truths, identity=identity, truth=truth, limit=limit)
    known = None if features is not None else _spec(settings, spec, key)
    columns = ReplayColumns(
        identity=identity,
        features=_listed(features) if known is None else tuple(known.columns),
        score=score,
        label=label,
        value=value,
        truth=truth,
        timestamp=timestamp,
        tags=() if known is None else _tags(known, rows.table),
    )
    if not (score or label or value):
        raise WrongUseError("expected at least one of --score, --label, --value, found none")
    require_columns(rows.table, columns.of_predictions, source=str(predictions))
    times = event_times(
        rows.table,
        timestamp=timestamp,
        start=options.moment_option("--start", start),
        every=options.span_option("--every", every),
        source=str(predictions),
    )
    require_topics(settings)
    delay = options.span_option("--truth-delay", truth_delay) or 0
    records = in_event_time(
        prediction_records(rows.table, times=times, columns=columns, replayed=ReplayTarget(model=key, version=version)),
        truth_records(rows.identities, rows.truths, times=times, delay=delay, model=key),
    )
    pace = Pace(records_per_second=_rate(rate), max_lag_bytes=max_lag_bytes or _kept_by_embedded(settings))
    _report(_send(settings, records, pace=pace, total=rows.events, quiet=as_json), as_json=as_json)


def _send(settings: Settings, records: Iterable[TimedRecord], *, pace: Pace, total: int, quiet: bool) -> SendReport:
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        with progress_bar(quiet=quiet) as bar:
            task = bar.add_task("", total=total)
            sender = PacedSender(
                settings,
                pace=pace,
                positions=lambda: _positions(engine),
                on_progress=lambda count, at: bar.update(task, completed=count, description=iso_utc(at)),
            )
            sent = sender.send(records)
            bar.update(task, completed=total)
            return sent
    finally:
        engine.dispose()


def _spec(settings: Settings, path: Path | None, key: ModelKey) -> ModelSpec:
    if path is not None:
        return read_spec(path)
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        require_database(engine)
        with engine.connect() as connection:
            applied = load_configuration(connection).models
    finally:
        engine.dispose()
    spec = next((model.spec for model in applied if model.key == key), None)
    if spec is None:
        names = ", ".join(str(model.key) for model in applied) or "none"
        raise WrongUseError(f"model {key}: expected an applied one ({names}), or --spec or --features; found neither")
    return spec


def _tags(spec: ModelSpec, table: pa.Table) -> tuple[tuple[str, str], ...]:
    return tuple((segment.tag, segment.tag) for segment in spec.segments if segment.tag in table.column_names)


def _listed(features: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (features or "").split(",") if name.strip())


def _rate(text: str) -> float | None:
    if text == "max":
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise WrongUseError(f"--rate: expected records a second, as 500/s, or max; found {text!r}")
    return rate


def _kept_by_embedded(settings: Settings) -> int | None:
    """Return how far ahead one may be on the demo's broker, which alone has no topic ids."""
    topic = settings.predictions_topics[0]
    description = describe_topics(settings, [topic]).get(topic)
    return EmbeddedBroker.KEPT_BYTES // 2 if description is not None and not description.topic_id else None


def _positions(engine: sa.Engine) -> dict[PartitionKey, int]:
    with engine.connect() as connection:
        return {offset.key: offset.next_offset for offset in list_offsets(connection)}


def _report(sent: SendReport, *, as_json: bool) -> None:
    if as_json:
        print_json(sent)
        return
    rate = (sent.predictions + sent.truths) / max(sent.seconds, 1e-9)
    print_line(
        f"Sent {sent.predictions:,} predictions and {sent.truths:,} truths in {sent.seconds:.1f} s ({rate:,.0f}/s)."
    )

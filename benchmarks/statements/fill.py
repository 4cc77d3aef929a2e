"""A database as weeks of a steady system leave it, made by SQL: models, panes, windows, truths, incidents, flushes."""

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from alerting.incidents.state import IncidentState, encode_state
from monitor.maintain.retention import EVALUATIONS, WEEKS_AHEAD
from monitor.result_codec import pack_result
from monitor.results import ColumnResult, WindowResult, nothing_moved_sentence
from monitor.store.database_clock import database_now_millis
from monitor.store.schema import prediction_ledger
from monitor.store.time_partitions import add_weeks, week_start
from monitor.types import IncidentKind, IncidentStatus, Tier, Verdict
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS, WEEK_MILLIS
from monitor.windows.pane_codec import encode_counts
from tests.models.counted import CountedModel, apply_counted_model

SPEC = "accuracy: {floor: 0.5, maturity: 0.5, min_truths: 50}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is.

    Attributes:
        dead_versions: Of each model, with windows and deployments in the past and no event of the last two days.
        truths: Predictions of the ledger that met their truth, of all models together.
        evaluated_hours: How many of the last hours have all of their windows stored; before, those of an hour and more.
    """

    models: int = 100
    columns: int = 100
    days: int = 30
    dead_versions: int = 20
    truths: int = 300_000
    evaluated_hours: int = 720


def fill(engine: sa.Engine, size: Size) -> int:
    """Fill an empty migrated database; return the event time (ms) up to which everything is counted and judged."""
    counted = apply_counted_model(engine, columns=size.columns, extra=SPEC, correct=9_000, labelled=10_000)
    with engine.connect() as connection:
        end = database_now_millis(connection) // MINUTE_MILLIS * MINUTE_MILLIS - 10 * MINUTE_MILLIS
    values = _values(counted, size, end)
    for statement in (*_MODELS, *_LEAVES, *_REST):
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)
    first = week_start(end - size.days * DAY_MILLIS)
    weeks = set(range(first, week_start(end) + (WEEKS_AHEAD + 1) * WEEK_MILLIS, WEEK_MILLIS))
    with engine.begin() as connection:
        for table in (prediction_ledger, *EVALUATIONS):
            add_weeks(connection, table, weeks)
    for model_id in range(1, size.models + 1):
        for statement in (*_COUNTS, *_WINDOWS, *_ACCURACY):
            with engine.begin() as connection:
                connection.execute(sa.text(statement), {**values, "model_id": model_id})
    for statement in _TRUTHS:
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)
    return end


def settle(engine: sa.Engine) -> None:
    """Let Postgres know what is there, as autovacuum does in time."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def _values(counted: CountedModel, size: Size, end: int) -> dict[str, object]:
    names = tuple(f"f{at}" for at in range(size.columns))
    columns = tuple(
        ColumnResult(name=name, n=10_000, psi=0.001 + at / 1e5, ks=0.01 + at / 1e5, ks_bound=0.001, phi=1 + at / 1e3)
        for at, name in enumerate(names)
    )
    sentence = nothing_moved_sentence(names[-1], psi=columns[-1].psi or 0.0, events=10_000)
    result = WindowResult(
        verdict=Verdict.OK, events=10_000, columns=columns, calm_below=(True,) * 3, quality_calm=True, sentence=sentence
    )
    return {
        "models": size.models,
        "dead": size.dead_versions,
        "names": list(names),
        "counts": encode_counts(counted.counts(np.random.default_rng(1), 100)),
        "packed": pack_result(result, names),
        "short": pack_result(WindowResult(verdict=Verdict.OK, events=5_000, sentence="Accuracy 0.9."), ()),
        "state": encode_state(
            IncidentState(
                id="THE-ID",
                kind=IncidentKind.DRIFT,
                version="THE-VERSION",
                status=IncidentStatus.RESOLVED,
                tier=Tier.WARNING,
                first_end=end,
                opened_end=end,
                last_end=end,
                resolved_end=end,
            )
        ),
        "end": end,
        "begin": end - size.days * DAY_MILLIS,
        "whole": end - size.evaluated_hours * HOUR_MILLIS,
        "day": DAY_MILLIS,
        "truths": size.truths,
        "days": size.days,
    }


_MODELS = (
    """
    INSERT INTO model (namespace, name) SELECT 'default', 'm' || n FROM generate_series(2, :models) AS n
    """,
    "UPDATE cells SET column_names = :names",
    """
    INSERT INTO cells (model_id, digest, layout, effective_from, column_names)
    SELECT model.id, cells.digest, cells.layout, 0, cells.column_names
    FROM cells, model WHERE cells.model_id = 1 AND model.id > 1 ORDER BY model.id
    """,
    """
    INSERT INTO reference (model_id, cells_id, digest, profile)
    SELECT cells.model_id, cells.id, reference.digest, reference.profile
    FROM reference, cells WHERE reference.model_id = 1 AND cells.model_id > 1 ORDER BY cells.model_id
    """,
    """
    INSERT INTO spec (model_id, version, text, cells_id, reference_id)
    SELECT reference.model_id, 1, replace(spec.text, 'model: credit', 'model: m' || reference.model_id),
           reference.cells_id, reference.id
    FROM spec, reference WHERE spec.model_id = 1 AND reference.model_id > 1
    """,
    "DELETE FROM series",
    """
    INSERT INTO series (model_id, version, segment_tag, segment_value, counted_from, counted_until, created_at)
    SELECT model, CASE version WHEN 0 THEN '1' ELSE 'dead-' || version END, '', '', :begin,
           CASE version WHEN 0 THEN :end + 3600000 ELSE :begin + :day END, clock_timestamp() - interval '200 days'
    FROM generate_series(1, :models) AS model, generate_series(0, :dead) AS version
    """,
    "DROP TABLE evaluation_before",
    "DROP TABLE performance_evaluation_before",
)
_LEAVES = (
    """
    INSERT INTO input_offset (topic, partition, role, next_offset, max_event_time, heartbeat_at)
    SELECT 'predictions', n, 'predictions', 1000000, :end + 60000, clock_timestamp() + interval '1 day'
    FROM generate_series(0, 7) AS n
    """,
    """
    INSERT INTO dedup (topic, partition, next_offset, offsets, hashes)
    SELECT 'predictions', n, 1000000 - 1000 * m, '', '' FROM generate_series(0, 7) AS n, generate_series(0, 99) AS m
    """,
    """
    INSERT INTO flush (worker, ranges, flushed_at, marked)
    SELECT 'w', '[["predictions", 0, 1, 2]]', clock_timestamp() - make_interval(secs => n), true
    FROM generate_series(1, 7 * 86000 * :days / 30) AS n
    """,
)
# One live series a model: its minutes of the last day, hours before; the dead versions had a day of hours long ago.
_COUNTS = (
    """
    INSERT INTO pane (series_id, cells_id, start, span, events, sampled, counts)
    SELECT series.id, cells.id, pane_start, CASE WHEN pane_start < :end - :day THEN 60 ELSE 1 END, 100, 10, :counts
    FROM series JOIN cells ON cells.model_id = series.model_id,
         (SELECT generate_series(:begin / 3600000 * 3600000, :end - :day - 3600000, 3600000)
          UNION ALL SELECT generate_series((:end - :day) / 3600000 * 3600000, :end - 60000, 60000)) AS at (pane_start)
    WHERE series.model_id = :model_id AND series.version = '1'
    """,
    """
    INSERT INTO pane (series_id, cells_id, start, span, events, sampled, counts)
    SELECT series.id, cells.id, :begin / 3600000 * 3600000 + hour * 3600000, 60, 100, 10, :counts
    FROM series JOIN cells ON cells.model_id = series.model_id, generate_series(0, 23) AS hour
    WHERE series.model_id = :model_id AND series.version <> '1'
    """,
    """
    INSERT INTO unseen_value (series_id, column_name, hour, counts, other, merged)
    SELECT series.id, 'f' || part, hour, '[["FR", 3]]', 0, true
    FROM series, generate_series(0, 1) AS part, generate_series(:begin / 3600000 * 3600000, :end, 3600000) AS hour
    WHERE series.model_id = :model_id AND series.version = '1'
    """,
    """
    INSERT INTO live_block (series_id, reference_id, minutes, start, counts)
    SELECT series.id, reference.id, 60, hour, :counts
    FROM series JOIN reference ON reference.model_id = series.model_id,
         generate_series(greatest(:begin, :end - 8 * :day) / 3600000 * 3600000, :end - 7200000, 3600000) AS hour
    WHERE series.model_id = :model_id AND series.version = '1'
    """,
)
_SCALES = "(VALUES (10, 1), (30, 3), (60, 5), (240, 20), (1440, 120), (10080, 720)) AS scale (length, step)"
_WINDOWS = (
    f"""
    INSERT INTO evaluation (series_id, length, window_end, cells_id, spec_version, revision, reference_id, events,
                            previous_events, sampled, step_sampled, verdict, packed)
    SELECT series.id, length, window_end, cells.id, 1, 0, cells.id, 10000, 10000, 1000, 100, 'OK', :packed
    FROM series JOIN cells ON cells.model_id = series.model_id, {_SCALES},
         generate_series(:begin / (step * 60000) * step * 60000, :end, step * 60000) AS window_end
    WHERE series.model_id = :model_id AND series.version = '1' AND (length >= 60 OR window_end >= :whole)
    ORDER BY window_end
    """,  # noqa: S608  # a constant
    f"""
    INSERT INTO scale_progress (model_id, length, evaluated_until, final_until)
    SELECT :model_id, length, :end / (step * 60000) * step * 60000, (:end - 3660000) / (step * 60000) * step * 60000
    FROM {_SCALES}
    """,  # noqa: S608  # a constant
    """
    INSERT INTO deployment (model_id, version, event_time, stage, topic, partition, "offset")
    SELECT :model_id, version, :begin + number * 3600000, stage, 'deployments', 0, :model_id * 10000 + number
    FROM (SELECT row_number() OVER (ORDER BY version = '1', series.id, stage) AS number, version, stage
          FROM series, unnest(ARRAY['canary', 'production']) AS stage WHERE series.model_id = :model_id) AS event
    """,
    """
    INSERT INTO incident (id, model_id, version, kind, status, tier, state, first_end, last_end, sentence, changed_at)
    SELECT new.id, :model_id, version, 'drift', 'resolved', 1,
           replace(replace(:state, 'THE-ID', CAST(new.id AS text)), 'THE-VERSION', version),
           :begin, :begin, '', clock_timestamp() - interval '20 days'
    FROM (SELECT gen_random_uuid() AS id, version FROM series WHERE model_id = :model_id AND version <> '1') AS new
    """,
    """
    INSERT INTO transition (incident_id, window_end, step, reason, tier, sentence)
    SELECT id, :begin, step, 'x', 1, '' FROM incident, unnest(ARRAY['opened', 'escalated', 'resolved']) AS step
    WHERE model_id = :model_id
    """,
)
_ACCURACY = (
    """
    INSERT INTO performance_pane (series_id, output, minute, age_bucket, labelled, correct)
    SELECT series.id, '', minute, age, 5, 4
    FROM series, generate_series(greatest(:begin, :end - 8 * :day) / 60000 * 60000, :end - 7200000, 60000) AS minute,
         generate_series(3, 5) AS age
    WHERE series.model_id = :model_id AND series.version = '1'
    """,
    f"""
    INSERT INTO performance_evaluation (series_id, output, length, window_end, spec_version, revision, sampled,
                                        labelled, correct, mature, accuracy, low, high, verdict, packed)
    SELECT series.id, '', length, window_end, 1, 0, 1000, 900, 800, true, 0.9, 0.8, 0.95, 'OK', :short
    FROM series, {_SCALES},
         generate_series(:begin / (step * 60000) * step * 60000, :end - 7200000, step * 60000) AS window_end
    WHERE series.model_id = :model_id AND series.version = '1' AND length >= 60
    """,  # noqa: S608  # a constant
)
_TRUTHS = (
    """
    INSERT INTO prediction_ledger (model_id, prediction_hash, version, output, series_ids, event_time, score, label,
                                   topic, partition, "offset", row)
    SELECT 1 + n % :models, md5(n::text)::uuid, '1', '',
           ARRAY[(SELECT id FROM series WHERE model_id = 1 + n % :models AND version = '1')],
           :end - 60000 - (:end - :begin) * n / :truths, 0.5, 'true', 'predictions', n % 8, n, 0
    FROM generate_series(1, :truths) AS n
    """,
    """
    INSERT INTO truth (model_id, prediction_hash, known_at, value, topic, partition, "offset", matched, probes,
                       next_probe_at, first_seen_at)
    SELECT model_id, prediction_hash, event_time, 'true', 'ground-truth', 0, "offset", 1, 2,
           CASE WHEN "offset" % 4 > 0 THEN clock_timestamp() + interval '1 day' * (1 + "offset" % 20) END,
           clock_timestamp() - interval '1 day' * (29 * "offset" / :truths)
    FROM prediction_ledger WHERE "offset" % 10 > 0
    """,
    """
    INSERT INTO joined (model_id, prediction_hash, version, output, series_ids, minute, age_bucket, correct, counted)
    SELECT model_id, prediction_hash, version, output, series_ids, event_time / 60000 * 60000, 4, true, true
    FROM prediction_ledger WHERE "offset" % 10 > 0
    """,
)
_REST = (
    """
    INSERT INTO endpoint (name, type) SELECT 'm' || n || '/receivers/team', 'webhook'
    FROM generate_series(1, :models) AS n
    """,
    """
    INSERT INTO outbox (id, kind, event_type, endpoint_id, dedupe_key, body, state, closed_at)
    SELECT gen_random_uuid(), 'notification', 'x', endpoint.id, endpoint.id || ' ' || n, '', 'done',
           clock_timestamp() - interval '1 hour' * n
    FROM endpoint, generate_series(1, 100) AS n
    """,
    """
    INSERT INTO dead_letter (topic, partition, "offset", row, value, headers, size, truncated, reason, sentence)
    SELECT 'predictions', 0, n, 0, '', '[]', 1, false, 'malformed', 'x' FROM generate_series(1, 20000) AS n
    """,
)

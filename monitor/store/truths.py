"""The truths' inbox, the truth in force, what predictions it was joined with, and the performance panes they fill."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.clock import to_datetime, to_millis
from monitor.truth.contribution import Contribution, JoinedKey, LedgerPrediction, PaneChange
from monitor.truth.fold import TruthEvent, TruthKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthInForce:
    """The truth of one prediction id that counts now, and how often it looked for predictions (wall clock in ms)."""

    key: TruthKey
    known_at: int
    value: str | None
    probes: int
    first_seen_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSchedule:
    """When a truth looks again (wall clock in ms, None: never), and how many predictions it has."""

    key: TruthKey
    probes: int
    next_probe_at: int | None
    matched: int


_IN_FORCE = (
    "truth.model_id, CAST(truth.prediction_hash AS text) AS prediction_hash, truth.known_at, truth.value, "
    "truth.probes, truth.first_seen_at"
)

_TAKE = sa.text(
    """
    DELETE FROM truth_inbox WHERE id IN (
        SELECT id FROM truth_inbox WHERE model_id = ANY(:model_ids) ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING model_id, CAST(prediction_hash AS text) AS prediction_hash, known_at, value, prediction_time,
              topic, partition, "offset"
    """
)

# Rows are locked in the order of their key, here and in the panes: two maintainers never wait for each other in a ring.
_FOLD = sa.text(
    f"""
    INSERT INTO truth (model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset",
                       first_seen_at, next_probe_at)
    SELECT model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset", :now, :now
    FROM unnest(CAST(:model_ids AS integer[]), CAST(:hashes AS uuid[]), CAST(:known_ats AS bigint[]),
                CAST(:values AS text[]), CAST(:prediction_times AS bigint[]), CAST(:topics AS text[]),
                CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
        AS came (model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset")
    ORDER BY model_id, prediction_hash
    ON CONFLICT (model_id, prediction_hash) DO UPDATE
    SET known_at = excluded.known_at, value = excluded.value, prediction_time = excluded.prediction_time,
        topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset"
    WHERE (excluded.known_at, excluded."offset", excluded.partition, excluded.topic)
        > (truth.known_at, truth."offset", truth.partition, truth.topic)
    RETURNING {_IN_FORCE}
    """  # noqa: S608  # a constant list of columns
)

_PROBE = sa.text(
    f"""
    SELECT {_IN_FORCE} FROM truth
    WHERE next_probe_at <= :now AND model_id = ANY(:model_ids)
    ORDER BY next_probe_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """  # noqa: S608  # a constant list of columns
)

_RESCHEDULE = sa.text(
    """
    UPDATE truth SET probes = new.probes, next_probe_at = new.next_probe_at, matched = new.matched
    FROM unnest(CAST(:model_ids AS integer[]), CAST(:hashes AS uuid[]), CAST(:probes AS integer[]),
                CAST(:nexts AS timestamptz[]), CAST(:matched AS integer[]))
        AS new (model_id, prediction_hash, probes, next_probe_at, matched)
    WHERE truth.model_id = new.model_id AND truth.prediction_hash = new.prediction_hash
    """
)

# The same prediction may stand in the ledger twice, sent again after the dedup horizon: the lowest position wins.
_PREDICTIONS = sa.text(
    """
    SELECT DISTINCT ON (prediction_hash, version, output)
           CAST(prediction_hash AS text) AS prediction_hash, version, output, series_ids, event_time, score, label
    FROM prediction_ledger
    WHERE model_id = :model_id AND prediction_hash = ANY(CAST(:hashes AS uuid[]))
    ORDER BY prediction_hash, version, output, partition, "offset", row, topic
    """
)

_JOINED = sa.text(
    """
    SELECT CAST(prediction_hash AS text) AS prediction_hash, version, output, series_ids, minute, age_bucket,
           correct, counted
    FROM joined WHERE model_id = :model_id AND prediction_hash = ANY(CAST(:hashes AS uuid[]))
    """
)

_WRITE_JOINED = sa.text(
    """
    INSERT INTO joined (model_id, prediction_hash, version, output, series_ids, minute, age_bucket, correct, counted)
    SELECT model_id, prediction_hash, version, output, CAST(series_ids AS integer[]), minute, age_bucket, correct,
           counted
    FROM unnest(CAST(:model_ids AS integer[]), CAST(:hashes AS uuid[]), CAST(:versions AS text[]),
                CAST(:outputs AS text[]), CAST(:series_ids AS text[]), CAST(:minutes AS bigint[]),
                CAST(:buckets AS smallint[]), CAST(:corrects AS boolean[]), CAST(:counteds AS boolean[]))
        AS came (model_id, prediction_hash, version, output, series_ids, minute, age_bucket, correct, counted)
    ON CONFLICT (model_id, prediction_hash, version, output) DO UPDATE
    SET series_ids = excluded.series_ids, minute = excluded.minute, age_bucket = excluded.age_bucket,
        correct = excluded.correct, counted = excluded.counted
    """
)

_CHANGE_PANES = sa.text(
    """
    INSERT INTO performance_pane (series_id, output, minute, age_bucket, labelled, correct)
    SELECT * FROM unnest(CAST(:series_ids AS integer[]), CAST(:outputs AS text[]), CAST(:minutes AS bigint[]),
                         CAST(:buckets AS smallint[]), CAST(:labelled AS bigint[]), CAST(:correct AS bigint[]))
        AS came (series_id, output, minute, age_bucket, labelled, correct)
    ORDER BY series_id, output, minute, age_bucket
    ON CONFLICT (series_id, output, minute, age_bucket) DO UPDATE
    SET labelled = performance_pane.labelled + excluded.labelled,
        correct = performance_pane.correct + excluded.correct, changed_at = clock_timestamp()
    """
)

_MARK_DUE = sa.text(
    """
    INSERT INTO performance_due (series_id, minute)
    SELECT DISTINCT series_id, minute
    FROM unnest(CAST(:series_ids AS integer[]), CAST(:minutes AS bigint[])) AS came (series_id, minute)
    ORDER BY series_id, minute
    ON CONFLICT (series_id, minute) DO UPDATE SET marks = performance_due.marks + 1
    """
)


def take_inbox(connection: sa.Connection, *, model_ids: Sequence[int], limit: int) -> tuple[TruthEvent, ...]:
    """Remove and return up to *limit* truths, oldest first; those another maintainer took are left to it."""
    rows = connection.execute(_TAKE, {"model_ids": list(model_ids), "limit": limit})
    return tuple(
        TruthEvent(
            key=TruthKey(row[0], row[1]),
            known_at=row[2],
            value=row[3],
            prediction_time=row[4],
            topic=row[5],
            partition=row[6],
            offset=row[7],
        )
        for row in rows
    )


def fold_truths(connection: sa.Connection, events: Sequence[TruthEvent], *, now: int) -> tuple[TruthInForce, ...]:
    """Store those of *events* (one per key) that outrank what is in force; return and lock them."""
    if not events:
        return ()
    parameters = {
        "now": to_datetime(now),
        "model_ids": [each.key.model_id for each in events],
        "hashes": [each.key.prediction_hash for each in events],
        "known_ats": [each.known_at for each in events],
        "values": [each.value for each in events],
        "prediction_times": [each.prediction_time for each in events],
        "topics": [each.topic for each in events],
        "partitions": [each.partition for each in events],
        "offsets": [each.offset for each in events],
    }
    return tuple(_in_force(row) for row in connection.execute(_FOLD, parameters))


def due_probes(
    connection: sa.Connection, *, model_ids: Sequence[int], limit: int, now: int
) -> tuple[TruthInForce, ...]:
    """Lock and return truths whose next look for predictions is due."""
    parameters = {"now": to_datetime(now), "model_ids": list(model_ids), "limit": limit}
    return tuple(_in_force(row) for row in connection.execute(_PROBE, parameters))


def _in_force(row: sa.Row[tuple[object, ...]]) -> TruthInForce:
    return TruthInForce(
        key=TruthKey(row.model_id, row.prediction_hash),
        known_at=row.known_at,
        value=row.value,
        probes=row.probes,
        first_seen_at=to_millis(row.first_seen_at),
    )


def reschedule(connection: sa.Connection, schedules: Sequence[ProbeSchedule]) -> None:
    """Store when each truth looks again; the caller has its row locked."""
    if not schedules:
        return
    parameters = {
        "model_ids": [each.key.model_id for each in schedules],
        "hashes": [each.key.prediction_hash for each in schedules],
        "probes": [each.probes for each in schedules],
        "nexts": [None if each.next_probe_at is None else to_datetime(each.next_probe_at) for each in schedules],
        "matched": [each.matched for each in schedules],
    }
    connection.execute(_RESCHEDULE, parameters)


def predictions_of(connection: sa.Connection, *, model_id: int, hashes: Sequence[str]) -> tuple[LedgerPrediction, ...]:
    """Return the sampled predictions of these ids, one per version and output."""
    rows = connection.execute(_PREDICTIONS, {"model_id": model_id, "hashes": list(hashes)})
    return tuple(
        LedgerPrediction(
            key=JoinedKey(TruthKey(model_id, row[0]), row[1], row[2]),
            series_ids=tuple(row[3]),
            event_time=row[4],
            score=row[5],
            label=row[6],
        )
        for row in rows
    )


def joined_of(connection: sa.Connection, *, model_id: int, hashes: Sequence[str]) -> tuple[Contribution, ...]:
    """Return what the predictions of these ids add to the performance panes by now."""
    rows = connection.execute(_JOINED, {"model_id": model_id, "hashes": list(hashes)})
    return tuple(
        Contribution(
            key=JoinedKey(TruthKey(model_id, row[0]), row[1], row[2]),
            series_ids=tuple(row[3]),
            minute=row[4],
            age_bucket=row[5],
            correct=row[6],
            counted=row[7],
        )
        for row in rows
    )


def write_joined(connection: sa.Connection, contributions: Sequence[Contribution]) -> None:
    """Store what each prediction adds from now on."""
    if not contributions:
        return
    parameters = {
        "model_ids": [each.key.truth.model_id for each in contributions],
        "hashes": [each.key.truth.prediction_hash for each in contributions],
        "versions": [each.key.version for each in contributions],
        "outputs": [each.key.output for each in contributions],
        # unnest would flatten an array of arrays, so each goes as its text
        "series_ids": ["{" + ",".join(map(str, each.series_ids)) + "}" for each in contributions],
        "minutes": [each.minute for each in contributions],
        "buckets": [each.age_bucket for each in contributions],
        "corrects": [each.correct for each in contributions],
        "counteds": [each.counted for each in contributions],
    }
    connection.execute(_WRITE_JOINED, parameters)


def change_panes(connection: sa.Connection, changes: Sequence[PaneChange]) -> None:
    """Add *changes* to the performance panes and mark their minutes as due."""
    if not changes:
        return
    series_ids = [each.key.series_id for each in changes]
    minutes = [each.key.minute for each in changes]
    parameters = {
        "series_ids": series_ids,
        "outputs": [each.key.output for each in changes],
        "minutes": minutes,
        "buckets": [each.key.age_bucket for each in changes],
        "labelled": [each.labelled for each in changes],
        "correct": [each.correct for each in changes],
    }
    connection.execute(_CHANGE_PANES, parameters)
    connection.execute(_MARK_DUE, {"series_ids": series_ids, "minutes": minutes})

"""The truths' inbox, the truth in force, what predictions it was joined with, and the performance panes they fill."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.clock import to_datetime, to_millis
from monitor.performance.delayed_labels import (
    Contribution,
    JoinedKey,
    LedgerPrediction,
    PaneChange,
    TruthEvent,
    TruthKey,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSchedule:
    """How often a truth looked, when it looks again (wall clock in ms, None: never), how many predictions it has."""

    key: TruthKey
    probes: int
    next_probe_at: int | None
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthInForce:
    """The truth of one prediction id that counts now, and its looks for predictions as they are stored."""

    key: TruthKey
    known_at: int
    value: str | None
    first_seen_at: int
    schedule: ProbeSchedule


@dataclass(frozen=True, slots=True)
class JoinProgress:
    """How far one round of joining has come: what lies before it was taken, or is another maintainer's.

    A batch that started from the beginning would walk over all that the round deleted before it: while an old snapshot
    is open (a backup's, say) nothing of it goes away.

    Attributes:
        inbox_id: The last row of the inbox that was taken.
        probe_at: When the last truth that looked again was due (wall clock in ms).
    """

    inbox_id: int = 0
    probe_at: int = 0


_IN_FORCE = (
    "truth.model_id, CAST(truth.prediction_hash AS text) AS prediction_hash, truth.known_at, truth.value, "
    "truth.first_seen_at, truth.probes, truth.next_probe_at, truth.matched"
)

# The batch is an array before anything is deleted. Joined with the subquery, whether IN or a materialised CTE, an inbox
# whose statistics say "empty", as they mostly do, is walked through once for each row of the batch; and a locking
# subquery that runs again for each row takes more than its limit.
_TAKE = sa.text(
    """
    DELETE FROM truth_inbox WHERE id = ANY(ARRAY(
        SELECT id FROM truth_inbox WHERE id > :after AND model_id = ANY(:model_ids)
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, model_id, CAST(prediction_hash AS text) AS prediction_hash, known_at, value, prediction_time,
              topic, partition, "offset", incarnation
    """
)

# Rows are locked in the order of their key, here and in the panes: two maintainers never wait for each other in a ring.
_FOLD = sa.text(
    f"""
    INSERT INTO truth (model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset",
                       incarnation, first_seen_at, next_probe_at, matched)
    SELECT model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset",
           incarnation, :now, next_probe_at, 1
    FROM unnest(CAST(:model_ids AS integer[]), CAST(:hashes AS uuid[]), CAST(:known_ats AS bigint[]),
                CAST(:values AS text[]), CAST(:prediction_times AS bigint[]), CAST(:topics AS text[]),
                CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]), CAST(:nexts AS timestamptz[]),
                CAST(:incarnations AS integer[]))
        AS came (model_id, prediction_hash, known_at, value, prediction_time, topic, partition, "offset", next_probe_at,
                 incarnation)
    ORDER BY model_id, prediction_hash
    ON CONFLICT (model_id, prediction_hash) DO UPDATE
    SET known_at = excluded.known_at, value = excluded.value, prediction_time = excluded.prediction_time,
        topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset",
        incarnation = excluded.incarnation
    WHERE (excluded.known_at, excluded.incarnation, excluded."offset", excluded.partition, excluded.topic)
        > (truth.known_at, truth.incarnation, truth."offset", truth.partition, truth.topic)
    RETURNING {_IN_FORCE}
    """  # noqa: S608  # a constant list of columns
)

_PROBE = sa.text(
    f"""
    SELECT {_IN_FORCE} FROM truth
    WHERE next_probe_at BETWEEN :after AND :now AND model_id = ANY(:model_ids)
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
    ORDER BY prediction_hash, version, output, incarnation, partition, "offset", row, topic
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


def take_inbox(
    connection: sa.Connection, *, model_ids: Sequence[int], limit: int, after: int = 0
) -> tuple[tuple[TruthEvent, ...], int]:
    """Remove up to *limit* truths behind row *after*, oldest first; those another maintainer took are left to it.

    Returns them and the last row taken, *after* itself when there was none.
    """
    rows = connection.execute(_TAKE, {"model_ids": list(model_ids), "limit": limit, "after": after}).all()
    events = tuple(
        TruthEvent(
            key=TruthKey(row[1], row[2]),
            known_at=row[3],
            value=row[4],
            prediction_time=row[5],
            topic=row[6],
            partition=row[7],
            offset=row[8],
            incarnation=row[9],
        )
        for row in rows
    )
    return events, max((row[0] for row in rows), default=after)


def fold_truths(
    connection: sa.Connection, events: Sequence[TruthEvent], *, next_probes: Sequence[int | None], now: int
) -> tuple[TruthInForce, ...]:
    """Store those of *events* (one per key) that outrank what is in force; return and lock them.

    A truth that is new is stored as if it had found one prediction and looked again at its time of *next_probes*
    (wall clock in ms): where that comes true, as it mostly does, its row is written once.
    """
    if not events:
        return ()
    parameters = {
        "now": to_datetime(now),
        "nexts": [None if moment is None else to_datetime(moment) for moment in next_probes],
        "model_ids": [event.key.model_id for event in events],
        "hashes": [event.key.prediction_hash for event in events],
        "known_ats": [event.known_at for event in events],
        "values": [event.value for event in events],
        "prediction_times": [event.prediction_time for event in events],
        "topics": [event.topic for event in events],
        "partitions": [event.partition for event in events],
        "offsets": [event.offset for event in events],
        "incarnations": [event.incarnation for event in events],
    }
    return tuple(_in_force(row) for row in connection.execute(_FOLD, parameters))


def due_probes(
    connection: sa.Connection, *, model_ids: Sequence[int], limit: int, now: int, after: int = 0
) -> tuple[TruthInForce, ...]:
    """Lock and return truths whose next look for predictions is due, at *after* (ms) or later, in that order."""
    parameters = {"now": to_datetime(now), "after": to_datetime(after), "model_ids": list(model_ids), "limit": limit}
    return tuple(_in_force(row) for row in connection.execute(_PROBE, parameters))


def _in_force(row: sa.Row[tuple[object, ...]]) -> TruthInForce:
    key = TruthKey(row.model_id, row.prediction_hash)
    next_probe_at = None if row.next_probe_at is None else to_millis(row.next_probe_at)
    return TruthInForce(
        key=key,
        known_at=row.known_at,
        value=row.value,
        first_seen_at=to_millis(row.first_seen_at),
        schedule=ProbeSchedule(key=key, probes=row.probes, next_probe_at=next_probe_at, matched=row.matched),
    )


def reschedule(connection: sa.Connection, schedules: Sequence[ProbeSchedule]) -> None:
    """Store when each truth looks again; the caller has its row locked."""
    if not schedules:
        return
    parameters = {
        "model_ids": [schedule.key.model_id for schedule in schedules],
        "hashes": [schedule.key.prediction_hash for schedule in schedules],
        "probes": [schedule.probes for schedule in schedules],
        "nexts": [
            None if schedule.next_probe_at is None else to_datetime(schedule.next_probe_at) for schedule in schedules
        ],
        "matched": [schedule.matched for schedule in schedules],
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
        "model_ids": [contribution.key.truth.model_id for contribution in contributions],
        "hashes": [contribution.key.truth.prediction_hash for contribution in contributions],
        "versions": [contribution.key.version for contribution in contributions],
        "outputs": [contribution.key.output for contribution in contributions],
        # unnest would flatten an array of arrays, so each goes as its text
        "series_ids": ["{" + ",".join(map(str, contribution.series_ids)) + "}" for contribution in contributions],
        "minutes": [contribution.minute for contribution in contributions],
        "buckets": [contribution.age_bucket for contribution in contributions],
        "corrects": [contribution.correct for contribution in contributions],
        "counteds": [contribution.counted for contribution in contributions],
    }
    connection.execute(_WRITE_JOINED, parameters)


def change_panes(connection: sa.Connection, changes: Sequence[PaneChange]) -> None:
    """Add *changes* to the performance panes and mark their minutes as due."""
    if not changes:
        return
    series_ids = [change.key.series_id for change in changes]
    minutes = [change.key.minute for change in changes]
    parameters = {
        "series_ids": series_ids,
        "outputs": [change.key.output for change in changes],
        "minutes": minutes,
        "buckets": [change.key.age_bucket for change in changes],
        "labelled": [change.labelled for change in changes],
        "correct": [change.correct for change in changes],
    }
    connection.execute(_CHANGE_PANES, parameters)
    connection.execute(_MARK_DUE, {"series_ids": series_ids, "minutes": minutes})

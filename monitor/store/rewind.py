"""Undoes what a clock that was ahead did: a partition's largest event time, a model's progress, its incidents."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.scale_progress import read_progress, rewind_progress
from monitor.store.schema import (
    evaluation,
    incident,
    input_offset,
    performance_evaluation,
    prediction_ledger,
    series,
)
from monitor.store.time_partitions import time_partitions
from monitor.types import PartitionKey
from monitor.units import MINUTE_MILLIS

RewoundState = Callable[[str], str]
"""The alerter's own JSON of an incident, set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRewind:
    """The windows of one length (minutes) that are evaluated beyond the moment (ms): how far, and how far after it."""

    length: int
    evaluated_until: int
    rewound_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRewind:
    """What setting a model back changes.

    Attributes:
        scales: One entry per scale that is beyond the moment.
        evaluations, accuracy_evaluations: Stored windows that end after it; they are deleted, or the new ones could
            not be stored.
        incidents: Incidents that windows after it moved.
    """

    scales: tuple[ProgressRewind, ...]
    evaluations: int
    accuracy_evaluations: int
    incidents: int


def supported_event_time(connection: sa.Connection, key: PartitionKey, *, until: int) -> int | None:
    """Return the largest event time up to *until* (ms) that the ledger holds of *key*; None: none at all.

    The ledger holds a sample, so the partition may have been a little further. Weeks are read from the newest on, until
    one has any.
    """
    c = prediction_ledger.c
    for week in reversed(time_partitions(connection, prediction_ledger.name)):
        start = week.start or 0
        if start > until:
            continue
        newest: int | None = connection.execute(
            sa.select(sa.func.max(c.event_time)).where(
                c.topic == key.topic,
                c.partition == key.partition,
                c.event_time >= start,
                c.event_time < min(week.stop, until + 1),
            )
        ).scalar()
        if newest is not None:
            return newest
    return None


def rewind_partition(connection: sa.Connection, key: PartitionKey, *, to: int) -> None:
    """Set the partition's largest event time to *to* (ms) and fence the worker that remembers the other one.

    What other partitions confirmed was confirmed against it, so they begin from nothing.
    """
    c = input_offset.c
    connection.execute(sa.select(c.epoch).order_by(c.topic, c.partition).with_for_update())  # in the order of flushes
    connection.execute(sa.update(input_offset).values(confirmed_event_time=None))
    connection.execute(
        sa.update(input_offset)
        .where(c.topic == key.topic, c.partition == key.partition)
        .values(max_event_time=to, epoch=c.epoch + 1)
    )


def model_rewind(connection: sa.Connection, model_id: int, *, to: int) -> ModelRewind:
    """Return what `rewind_model` would change."""
    return ModelRewind(
        scales=_progress_beyond(connection, model_id, to),
        evaluations=_count(connection, evaluation, model_id, to),
        accuracy_evaluations=_count(connection, performance_evaluation, model_id, to),
        incidents=len(_incidents_beyond(connection, model_id, to)),
    )


def rewind_model(connection: sa.Connection, model_id: int, *, to: int, rewound_state: RewoundState) -> ModelRewind:
    """Set the model back to *to* (ms), so that windows after it are evaluated and drive; return what was changed.

    The caller holds the model's lock.
    """
    changed = model_rewind(connection, model_id, to=to)
    rewind_progress(connection, model_id, to=_to_the_minute(to))
    for table in (evaluation, performance_evaluation):
        connection.execute(sa.delete(table).where(*_beyond(table, model_id, to)))
    incidents = _incidents_beyond(connection, model_id, to)
    for before_last, row in enumerate(reversed(incidents)):
        connection.execute(
            sa.update(incident)
            .where(incident.c.id == row.id)
            .values(
                state=rewound_state(row.state),
                first_end=min(row.first_end, to - before_last),  # the newest one of a version stays the newest
                last_end=min(row.last_end, to),
                resolved_end=None if row.resolved_end is None else min(row.resolved_end, to),
            )
        )
    return changed


def _of_model(model_id: int) -> sa.Select[tuple[int]]:
    return sa.select(series.c.id).where(series.c.model_id == model_id)


def _beyond(table: sa.Table, model_id: int, to: int) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.series_id.in_(_of_model(model_id)), table.c.window_end > to


def _count(connection: sa.Connection, table: sa.Table, model_id: int, to: int) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(*_beyond(table, model_id, to))
    return int(connection.execute(query).scalar_one())


def _progress_beyond(connection: sa.Connection, model_id: int, to: int) -> tuple[ProgressRewind, ...]:
    return tuple(
        ProgressRewind(length=length, evaluated_until=scale.evaluated_until, rewound_to=_to_the_minute(to))
        for length, scale in sorted(read_progress(connection, model_id).items())
        if scale.evaluated_until > to
    )


def _to_the_minute(moment: int) -> int:
    return moment // MINUTE_MILLIS * MINUTE_MILLIS


def _incidents_beyond(connection: sa.Connection, model_id: int, to: int) -> list[sa.Row[tuple[object, ...]]]:
    c = incident.c
    return list(
        connection.execute(
            sa.select(incident)
            .where(c.model_id == model_id, sa.or_(c.first_end > to, c.last_end > to, c.resolved_end > to))
            .order_by(c.first_end, c.id)
            .with_for_update()
        )
    )

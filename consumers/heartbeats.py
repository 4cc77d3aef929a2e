"""Heartbeats of partitions that nothing is flushed for: read to their ends, complete up to a confirmed time."""

import sqlalchemy as sa

from consumers.assignment import AssignedPartitions
from consumers.kafka.consumer import InputConsumer
from monitor.clock import monotonic_seconds
from monitor.store.offsets import HeldPosition, beat
from monitor.store.outage import named_outage
from monitor.store.topics import newest_event_time
from monitor.types import TopicRole


class Heartbeats:
    """Writes the heartbeats of the partitions that are ours."""

    def __init__(self, engine: sa.Engine, partitions: AssignedPartitions, consumer: InputConsumer) -> None:
        self._engine = engine
        self._partitions = partitions
        self._consumer = consumer

    def doubt_ends(self) -> None:
        """Discard the samples taken so far: nothing was fetched for a while, so no known end confirms them."""
        for state in self._partitions.states.values():
            state.confirmation.forget()

    def look_at_ends(self) -> None:
        """Note which partitions are at their ends by what the client has fetched; call before anything is written."""
        now = monotonic_seconds()
        for key, state in self._partitions.states.items():
            state.look_at_end(fetched_end=self._consumer.cached_end(key), now=now)

    def beat(self, *, every_seconds: float) -> None:
        """Write the heartbeat of partitions without unflushed records, unless a flush just did.

        One whose row is no longer where we left it is dropped and taken over again: in a restored database its records
        since the backup are to be read again, whether or not more of them come.
        """
        self.look_at_ends()
        now = monotonic_seconds()
        states = self._partitions.states
        idle = {
            key: state
            for key, state in states.items()
            if not state.moved and state.flowing and state.heartbeat_due(now=now, every_seconds=every_seconds)
        }
        unsampled = [
            state.confirmation
            for state in states.values()
            if state.role is TopicRole.PREDICTIONS and state.confirmation.wants_sample
        ]
        if not idle and not unsampled:
            return
        held = {
            key: HeldPosition(
                epoch=state.epoch,
                next_offset=state.stored.next_offset,
                at_end=state.at_end,
                confirmed_event_time=state.confirmed_event_time,
            )
            for key, state in idle.items()
        }
        with named_outage(self._engine, "writing heartbeats"), self._engine.begin() as connection:
            elsewhere = beat(connection, held)
            newest = newest_event_time(connection, TopicRole.PREDICTIONS) if unsampled else None
        for state in idle.values():
            state.confirmation_written()
        if newest is not None:
            for confirmation in unsampled:
                confirmation.sample(newest, now=monotonic_seconds())
        for key in sorted(elsewhere):
            self._partitions.fenced(key)

"""Heartbeats: which partitions are read to their ends, what that confirms, written where no flush says it."""

import sqlalchemy as sa

from consumers.assignment import Claims
from consumers.kafka.consumer import InputConsumer
from monitor.clock import monotonic_seconds
from monitor.store.offsets import Held, beat
from monitor.store.outage import named_outage
from monitor.store.topics import newest_event_time
from monitor.types import TopicRole


class Heartbeats:
    """Of the partitions that are ours."""

    def __init__(self, engine: sa.Engine, claims: Claims, consumer: InputConsumer) -> None:
        self._engine = engine
        self._claims = claims
        self._consumer = consumer

    def doubt_ends(self) -> None:
        """Nothing was fetched for a while: what was sampled before is confirmed by no end that is known."""
        for state in self._claims.states.values():
            state.confirmation.forget()

    def look_at_ends(self) -> None:
        """Before anything is written: which partitions are at their ends, as far as the client has fetched by now?"""
        now = monotonic_seconds()
        for key, state in self._claims.states.items():
            state.look_at_end(fetched_end=self._consumer.cached_end(key), now=now)

    def beat(self, *, every_seconds: float) -> None:
        """Write the heartbeat of partitions without unflushed records, unless a flush just did.

        One whose row is no longer where we left it is dropped and taken over again: in a restored database its records
        since the backup are to be read again, whether or not more of them come.
        """
        self.look_at_ends()
        now = monotonic_seconds()
        states = self._claims.states
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
            key: Held(
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
            self._claims.fenced(key)

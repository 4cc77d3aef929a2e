"""From pending counts to one transaction: names become ids, columns become rows."""

from collections.abc import Iterable, Mapping
from operator import itemgetter

import sqlalchemy as sa

from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts, SampledPredictions
from consumers.version_places import VersionPlaces
from monitor.errors import RefusedByDatabaseError, VersionsRefused
from monitor.failpoint import reach
from monitor.store.flush import FlushContents, require_generation, write_flush
from monitor.store.ledger import LedgerRows, ensure_weeks
from monitor.store.model_versions import claim_versions
from monitor.store.outage import named_outage
from monitor.store.pane_marks import NewMark
from monitor.store.panes import PaneDelta
from monitor.store.refused_counts import KeptBytes, RefusedCount
from monitor.store.series import ensure_series
from monitor.store.time_partitions import week_start
from monitor.store.unseen_values import UnseenDelta
from monitor.types import SeriesKey, TopicRole
from monitor.units import DAY_MILLIS

FOREIGN_KEY_VIOLATION = "23503"


class Flusher:
    """Writes pending counts to Postgres; remembers the ids of series for as long as its connections live.

    A database that was restored to an earlier moment gives the same ids to other series; nobody stays connected to a
    database while it is restored, so every new connection begins without memory.
    """

    def __init__(self, engine: sa.Engine, *, worker: str, horizon: int, places: VersionPlaces | None = None) -> None:
        self._engine = engine
        self._places = places
        self._worker = worker
        self._horizon = horizon
        self._series: dict[SeriesKey, int] = {}
        self._connections = 0
        sa.event.listen(engine, "connect", self._connected)

    def _connected(self, driver: object, record: object) -> None:
        self._connections += 1
        self._series.clear()

    def flush(self, pending: PendingCounts, states: Iterable[PartitionState], *, generation: int) -> KeptBytes:
        """Commit *pending* and the moves of *states*; the caller keeps both until this returns.

        Return the bytes of dead letters that are kept in this hour by now.

        Raises:
            ConfigurationChanged: Count the raw records again under the new configuration.
            VersionsRefused: The same, under the names that are decided now.
            OffsetFenced: Nothing was written; a partition is no longer where we left it.
            UnavailableError: Postgres did not answer; whether the commit arrived is unknown.
            RefusedByDatabaseError: Postgres refuses what is in it, and would again.
        """
        moved = [state for state in states if state.moved]
        try:
            return self._write(pending, moved, generation)
        except RefusedByDatabaseError as error:
            if error.sqlstate != FOREIGN_KEY_VIOLATION:
                raise
            # A series that this worker remembers was removed, by its retention or with its model: begin from what is.
            self._series.clear()
            self._require_generation(generation)
            return self._write(pending, moved, generation)

    def _write(self, pending: PendingCounts, moved: list[PartitionState], generation: int) -> KeptBytes:
        with named_outage(self._engine, "flushing counts"):
            while (kept := self._written(pending, moved, generation)) is None:
                pass
            reach("flush.after_commit")
        return kept

    def _written(self, pending: PendingCounts, moved: list[PartitionState], generation: int) -> KeptBytes | None:
        """Write and commit; None: the connection is a new one since the ids were read, nothing was written."""
        self._prepare(pending)
        connections, contents = self._connections, self._contents(pending, moved, generation, self._series)
        with self._engine.begin() as connection:
            if self._connections != connections:
                return None
            return write_flush(connection, contents)

    def _require_generation(self, generation: int) -> None:
        with named_outage(self._engine, "reading the configuration's generation"), self._engine.connect() as connection:
            require_generation(connection, generation)

    def try_out(self, part: PendingCounts, *, generation: int) -> None:
        """Write *part* of a batch as a flush would, and roll it back.

        Raises:
            RefusedByDatabaseError: The database refuses it.
            ConfigurationChanged, UnavailableError: As of `flush`.
        """
        with named_outage(self._engine, "trying out a part of a batch"), self._engine.connect() as connection:
            known = ensure_series(connection, {series for series, _, _ in part.panes})
            ensure_weeks(connection, _weeks(part))
            write_flush(connection, self._contents(part, [], generation, known))
            connection.rollback()

    def _prepare(self, pending: PendingCounts) -> None:
        # All are visible to everyone before the flush begins, so a flush never waits for another one's new names.
        self._place_versions(pending)
        wanted, weeks = {series for series, _, _ in pending.panes}, _weeks(pending)
        if wanted - self._series.keys() or weeks:
            with self._engine.begin() as connection:  # perhaps a new one, which begins without memory
                self._series |= ensure_series(connection, wanted - self._series.keys())
                ensure_weeks(connection, weeks)

    def _place_versions(self, pending: PendingCounts) -> None:
        if self._places is None or not pending.versions:
            return
        with self._engine.begin() as connection:
            placed = claim_versions(connection, self._places.to_claim(pending.versions))
        if self._places.claimed(placed):
            models = sum(bool(versions.refused) for versions in placed.values())
            raise VersionsRefused(f"versions: counted under names of their own that have no place, of {models} models")

    def _contents(
        self, pending: PendingCounts, moved: list[PartitionState], generation: int, known: Mapping[SeriesKey, int]
    ) -> FlushContents:
        panes = tuple(
            PaneDelta(
                series_id=known[series],
                cells_id=cells_id,
                start=start,
                events=pane.events,
                sampled=pane.sampled,
                counts=pane.counts,
            )
            for (series, cells_id, start), pane in sorted(pending.panes.items())
        )
        return FlushContents(
            worker=self._worker,
            generation=generation,
            horizon=self._horizon,
            moves=tuple(partition.move() for partition in moved),
            panes=panes,
            marks=_marks(pending, known),
            predictions=tuple(_ledger_rows(prediction, known) for prediction in pending.predictions),
            truths=tuple(pending.truths),
            deployments=tuple(pending.deployments),
            dead_letters=tuple(pending.dead_letters),
            unseen=tuple(
                UnseenDelta(series_id=known[key.series], column=key.column, hour=key.hour, values=tally.named())
                for key, tally in sorted(pending.unseen.items(), key=itemgetter(0))
            ),
            refused=tuple(
                RefusedCount(
                    reason=reason,
                    model=model,
                    records=tally.records,
                    bytes=tally.bytes,
                    kept=tally.kept,
                    kept_bytes=tally.kept_bytes,
                )
                for (reason, model), tally in pending.refused.items()
            ),
            discovered=dict(pending.discovered),
            intakes=tuple(row for state in moved for row in state.intakes.unstored()),
            identities={
                partition.key: partition.seen.unstored()
                for partition in moved
                if partition.role is TopicRole.PREDICTIONS
            },
        )


def _ledger_rows(block: SampledPredictions, known: Mapping[SeriesKey, int]) -> LedgerRows:
    ids = {keys: tuple(sorted(known[key] for key in keys)) for keys in set(block.series)}
    return LedgerRows(
        model_id=block.model_id,
        source=block.source,
        hashes=block.hashes,
        versions=block.versions,
        series_ids=[ids[keys] for keys in block.series],
        event_times=block.event_times,
        scores=block.scores,
        labels=block.labels,
        values=block.values,
        offsets=block.offsets,
    )


def _weeks(pending: PendingCounts) -> set[int]:
    return {week_start(time) for block in pending.predictions for time in _extremes(block)}


def _marks(pending: PendingCounts, known: Mapping[SeriesKey, int]) -> tuple[NewMark, ...]:
    of_model: dict[int, set[tuple[int, int]]] = {}
    for series, _, start in pending.panes:
        of_model.setdefault(series.model_id, set()).add((known[series], start))
    return tuple(NewMark(model_id=model_id, panes=sorted(panes)) for model_id, panes in sorted(of_model.items()))


def _extremes(block: SampledPredictions) -> Iterable[int]:
    # every event time only when the block spans more than two weeks' starts
    low, high = min(block.event_times), max(block.event_times)
    return block.event_times if high - low > 6 * DAY_MILLIS else (low, high)

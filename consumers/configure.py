"""Reloads the configuration in force and builds the batch counter for it."""

import sqlalchemy as sa
import structlog

from consumers.admission import FutureCheckClock
from consumers.batch_counting import BatchCounter
from consumers.dead_letters import DeadLetterCollector
from consumers.telemetry import Timings
from consumers.version_places import VersionPlaces
from monitor.clock import monotonic_seconds
from monitor.settings import Settings
from monitor.store.configuration import Configuration, load_configuration, read_generation
from monitor.store.model_versions import placed_versions
from monitor.store.outage import named_outage
from monitor.store.refused_counts import OTHER_NAMES, discovered_models

ASK_SECONDS = 3.0

log = structlog.get_logger()


class Configurer:
    """Loads configurations; keeps what outlives one: the quota of dead letters and the places of versions."""

    def __init__(self, engine: sa.Engine, settings: Settings, timings: Timings, clock: FutureCheckClock) -> None:
        self._engine = engine
        self._settings = settings
        self._timings = timings
        self._clock = clock
        self.dead_letters = DeadLetterCollector(settings)
        self.places = VersionPlaces()
        self._asked_at = -ASK_SECONDS

    def is_stale(self, generation: int) -> bool:
        """Return whether another configuration is in force than that of *generation*; asks every few seconds.

        A flush finds that out by itself, but where no records come nothing is flushed.

        Raises:
            UnavailableError: Postgres does not answer.
        """
        now = monotonic_seconds()
        if now - self._asked_at < ASK_SECONDS:
            return False
        with named_outage(self._engine, "reading the generation"), self._engine.connect() as connection:
            in_force = read_generation(connection)
        self._asked_at = now
        return in_force != generation

    def load(self) -> tuple[Configuration, BatchCounter]:
        """Return the configuration in force and a batch counter for it.

        Raises:
            UnavailableError: Postgres does not answer.
        """
        with named_outage(self._engine, "reading the configuration"), self._engine.connect() as connection:
            configuration = load_configuration(connection)
            placed = placed_versions(connection)
            discovered = {row.model for row in discovered_models(connection)}
        self.places.set_placed(placed, {model.model_id: model.spec.versions for model in configuration.models})
        self.dead_letters.set_listed_names(discovered - {OTHER_NAMES})
        log.info("configuration.loaded", generation=configuration.generation, models=len(configuration.models))
        for unreadable in configuration.unreadable:
            log.error("spec.rejected", model=str(unreadable.key), problem=unreadable.problem)
        batch_counter = BatchCounter(
            configuration,
            self._settings,
            self._timings,
            self._clock,
            dead_letters=self.dead_letters,
            places=self.places,
        )
        return configuration, batch_counter

"""The maintain role: join until dry, compact, roll references, drop; every `maintain_seconds` until it is stopped."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from monitor.backoff import Backoff
from monitor.clock import monotonic_seconds
from monitor.errors import DriftlineError, SpecError, UnavailableError
from monitor.health import Health
from monitor.maintain.label_join import JoinRules, join_batches, join_rules
from monitor.maintain.live_blocks import LiveBlockKeeper
from monitor.maintain.retention import Compactor, RetentionProgress, drop_expired
from monitor.maintain.rolling_reference import adopt_rolling_when_due
from monitor.metrics import PANES_COMPACTED, ROWS_DROPPED, TRUTHS_JOINED
from monitor.settings import Settings
from monitor.store.configuration import AppliedModel, Configuration, load_configuration, read_generation
from monitor.store.database_clock import database_now_millis
from monitor.store.engine import StatementLimits, make_engine
from monitor.store.outage import named_outage, require_writable
from monitor.store.topics import read_partitions
from monitor.store.unseen_values import merge_unseen
from monitor.types import Service, TopicRole
from monitor.windows.watermark import PartitionProgress, open_from, watermark_of, watermark_rules

COMPACT_SECONDS = 10.0
ROLLING_SECONDS = 600.0
DROP_SECONDS = 600.0
AFRESH_SECONDS = 86_400.0
UNSEEN_AT_ONCE = 200
BACKOFF = Backoff(first_seconds=1.0, longest_seconds=30.0)
RETENTION_SECONDS = 3600.0  # it builds indexes of whole weeks
JOINING = "joining truths"

log = structlog.get_logger()


def run_maintain(settings: Settings, *, stop: threading.Event, health: Health) -> None:
    """Maintain until *stop* is set; a database that is away is waited for, with a back-off.

    *health* shows what cannot be done, and that the work makes progress.
    """
    limits = StatementLimits(statement_seconds=settings.statement_timeout_seconds)
    engine = make_engine(settings.database_url, limits=limits)
    maintainer = Maintainer(engine, settings, health)
    failures = 0
    try:
        while not stop.is_set():
            failures = 0 if maintainer.round(stop=stop) else failures + 1
            stop.wait(max(settings.maintain_seconds, BACKOFF.wait_seconds(failures)))
    finally:
        engine.dispose()


class Maintainer:
    """Runs rounds of maintenance; remembers the configuration, and when each task was last done."""

    def __init__(self, engine: sa.Engine, settings: Settings, health: Health) -> None:
        self._engine = engine
        self._settings = settings
        self._health = health
        self._rules = watermark_rules(settings)
        self._configuration = Configuration(-1, ())
        self._join_rules: dict[int, JoinRules] = {}
        self._alone: set[int] = set()  # models whose truths are joined apart, since a batch with theirs was refused
        self._compactor = Compactor(self._rules)
        self._keeper = LiveBlockKeeper(self._rules)
        self._afresh_at = monotonic_seconds() + AFRESH_SECONDS
        self._compact_at = 0.0
        self._rolling_at = 0.0
        self._drop_at = 0.0
        self._walk = RetentionProgress()
        self._unusable: dict[int, str] = {}

    def round(self, *, stop: threading.Event) -> bool:
        """Join until there is nothing left to join; compact and drop when it is time; False: Postgres is away."""
        try:
            with named_outage(self._engine, "reading the configuration"):
                self._reload()
            unreadable = [model.problem for model in self._configuration.unreadable]
            self._health.note([*unreadable, *self._unusable.values()])
            self._note_progress()
            self._join(stop)
            now = monotonic_seconds()
            if now >= self._afresh_at:
                self._compactor = Compactor(self._rules)
                self._afresh_at = now + AFRESH_SECONDS
            if now >= self._compact_at and self._do("compacting", lambda: self._compact_all(stop), stop):
                self._compact_at = now + COMPACT_SECONDS
            if now >= self._rolling_at and self._do("rolling references", self._roll, stop):
                self._rolling_at = now + ROLLING_SECONDS
            if now >= self._drop_at and self._do("applying retention", lambda: self._drop(stop), stop):
                self._drop_at = now + DROP_SECONDS
        except UnavailableError as error:
            self._health.away(Service.POSTGRES, str(error))
            return False
        self._health.back(Service.POSTGRES)
        return True

    def _do(self, name: str, task: Callable[[], None], stop: threading.Event) -> bool:
        """Do one task unless *stop* is set; what is wrong with it alone holds up no other. Return whether it was done.

        Raises:
            UnavailableError: Postgres is away for all of them.
        """
        if stop.is_set():
            return False
        try:
            with named_outage(self._engine, name):
                task()
        except DriftlineError as error:
            if isinstance(error, UnavailableError) and not error.contended:
                raise
            self._health.away(name, f"{name}: {error}")
            return False
        except Exception as error:
            # One task's fault must not stop the others, nor end the process at every round.
            if name not in self._health.services_away:
                log.exception("task.failed", task=name)
            self._health.away(name, f"{name}: {error!r}")
            return False
        self._health.back(name)
        self._note_progress()
        return True

    def _note_progress(self) -> None:
        self._health.progress("batch", within_seconds=2 * self._settings.statement_timeout_seconds)

    def _reload(self) -> None:
        with self._engine.connect() as connection:
            require_writable(connection)
            if read_generation(connection) != self._configuration.generation:
                self._configuration = load_configuration(connection)
                self._unusable.clear()
                self._join_rules = join_rules(self._configuration)
                self._forget_removed()

    def _join(self, stop: threading.Event) -> None:
        """Join the truths of all models together; where that is refused, each model's alone, the culprit's ever after.

        Raises:
            UnavailableError: Postgres is away.
        """
        together = {model_id: rules for model_id, rules in self._join_rules.items() if model_id not in self._alone}
        if not self._do(JOINING, lambda: self._join_until_dry(together, stop), stop) and not stop.is_set():
            self._alone |= together.keys()
        names = {applied.model_id: str(applied.key) for applied in self._configuration.models}
        for model_id in sorted(self._alone & self._join_rules.keys()):
            rules = {model_id: self._join_rules[model_id]}
            if self._do(f"{JOINING} of {names[model_id]}", lambda rules=rules: self._join_until_dry(rules, stop), stop):  # type: ignore[misc]
                self._alone.discard(model_id)

    def _join_until_dry(self, rules: Mapping[int, JoinRules], stop: threading.Event) -> None:
        for report in join_batches(self._engine, rules=rules, now=database_now_millis):
            self._note_progress()
            if report.changed:
                TRUTHS_JOINED.inc(report.changed)
                log.info("truths.joined", predictions=report.changed, received=report.received, probed=report.probed)
            if stop.is_set():
                return

    def _forget_removed(self) -> None:
        self._alone &= self._join_rules.keys()
        known = {f"{JOINING} of {applied.key}" for applied in self._configuration.models}
        for service in self._health.services_away:
            if service.startswith(f"{JOINING} of ") and service not in known:
                self._health.back(service)

    def _drop(self, stop: threading.Event) -> None:
        self._health.progress("batch", within_seconds=RETENTION_SECONDS)
        if dropped := drop_expired(self._engine, self._settings, walk=self._walk, stop=stop):
            ROWS_DROPPED.inc(dropped)
            log.info("retention.applied", rows=dropped)

    def _compact_all(self, stop: threading.Event) -> None:
        self._compact()
        self._merge_unseen(stop)

    def _merge_unseen(self, stop: threading.Event) -> None:
        more = True
        while more and not stop.is_set():
            with self._engine.begin() as connection:
                more = merge_unseen(connection, limit=UNSEEN_AT_ONCE) == UNSEEN_AT_ONCE

    def _clock_and_partitions(self) -> tuple[int, tuple[PartitionProgress, ...]]:
        topics = self._settings.predictions_topics
        with self._engine.connect() as connection:
            partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=topics)
            return database_now_millis(connection), partitions

    def _roll(self) -> None:
        now, partitions = self._clock_and_partitions()
        watermark = watermark_of(partitions, now=now, rules=self._rules).value
        if watermark is None:
            return
        for applied in self._configuration.models:
            with self._own_trouble(applied):
                adopted = adopt_rolling_when_due(self._engine, applied, watermark=watermark, rules=self._rules, now=now)
                if adopted is not None:
                    log.info(
                        "reference.adopted",
                        model=str(applied.key),
                        reference_id=adopted.reference_id,
                        previous_id=adopted.previous_id,
                    )
                self._keeper.drop(self._engine, applied, watermark=watermark)

    def _compact(self) -> None:
        now, partitions = self._clock_and_partitions()
        watermark = watermark_of(partitions, now=now, rules=self._rules).value
        if watermark is None:
            return
        may_come_from = open_from(partitions, watermark=watermark, rules=self._rules)
        for applied in self._configuration.models:
            self._note_progress()
            with self._own_trouble(applied):
                # First what needs short spans, then what sums them up.
                self._keeper.keep(self._engine, applied, watermark=watermark)
                replaced = self._compactor.compact(self._engine, applied, watermark=watermark, open_from=may_come_from)
                if replaced:
                    PANES_COMPACTED.inc(replaced)
                    log.info("panes.compacted", model=str(applied.key), rows=replaced)

    @contextmanager
    def _own_trouble(self, applied: AppliedModel) -> Iterator[None]:
        """A reference that cannot be used holds up the work for its model only, and is a notice until it can."""
        try:
            yield
        except SpecError as error:
            problem = f"{applied.key}: not compacted, {error.source}: {'; '.join(error.problems)}"
            if self._unusable.get(applied.model_id) != problem:
                self._unusable[applied.model_id] = problem
                log.error("model.maintenance_failed", model=str(applied.key), problem=problem)
        else:
            self._unusable.pop(applied.model_id, None)

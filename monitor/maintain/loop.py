"""The maintain role: join until dry, compact, roll references, drop; every `maintain_seconds` until told to stop."""

import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError

from monitor.clock import monotonic_seconds
from monitor.maintain.compact import Compactor
from monitor.maintain.drop import Walk, drop_expired
from monitor.maintain.join import JoinRules, join_rules, join_truths
from monitor.maintain.live_blocks import LiveBlockKeeper
from monitor.maintain.rolling_adoption import adopt_rolling_when_due
from monitor.metrics import PANES_COMPACTED, ROWS_DROPPED, TRUTHS_JOINED
from monitor.settings import Settings
from monitor.store.configuration import Configuration, load_configuration, read_generation
from monitor.store.database_clock import database_now_millis
from monitor.store.engine import make_engine
from monitor.store.unseen import merge_unseen
from monitor.store.watermarks import read_partitions
from monitor.types import TopicRole
from monitor.windows.watermark import model_watermark, watermark_rules

COMPACT_SECONDS = 10.0
ROLLING_SECONDS = 600.0
DROP_SECONDS = 600.0
AFRESH_SECONDS = 3600.0
UNSEEN_AT_ONCE = 200
LONGEST_BACK_OFF_SECONDS = 30.0

OnHealth = Callable[[bool, str], None]
OnNotices = Callable[[Sequence[str]], None]
log = structlog.get_logger()


def run_maintain(
    settings: Settings,
    *,
    stop: threading.Event,
    on_health: OnHealth | None = None,
    on_notices: OnNotices = lambda notices: None,
) -> None:
    """Maintain until *stop* is set; a database that is away is waited for, with a back-off.

    *on_health* hears ``(healthy, why)`` after each round, *on_notices* which models it cannot work for.
    """
    engine = make_engine(settings.database_url)
    maintainer = Maintainer(engine, settings)
    failures = 0
    try:
        while not stop.is_set():
            try:
                maintainer.round(stop=stop)
                healthy, why, failures = True, "", 0
            except OperationalError as error:
                failures += 1
                healthy, why = False, " ".join(str(error.orig).split())
                log.warning("maintain.interrupted", failures=failures, cause=why)
            if on_health is not None:
                on_health(healthy, why)
            on_notices(maintainer.notices)
            back_off = min(2.0 ** min(failures, 10) - 1, LONGEST_BACK_OFF_SECONDS)
            stop.wait(max(settings.maintain_seconds, back_off))
    finally:
        engine.dispose()


class Maintainer:
    """Does one round after another; remembers the configuration it loaded and when what was done last."""

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._rules = watermark_rules(settings)
        self._configuration = Configuration(-1, ())
        self._join_rules: dict[int, JoinRules] = {}
        self._compactor = Compactor(self._rules)
        self._keeper = LiveBlockKeeper(self._rules)
        self._afresh_at = monotonic_seconds() + AFRESH_SECONDS
        self._compact_at = 0.0
        self._rolling_at = 0.0
        self._drop_at = 0.0
        self._walk = Walk()

    @property
    def notices(self) -> list[str]:
        """Which models are left alone, and why."""
        return [unreadable.problem for unreadable in self._configuration.unreadable]

    def round(self, *, stop: threading.Event) -> None:
        """Join until there is nothing left to join; compact and drop when it is time."""
        self._reload()
        self._join(stop)
        now = monotonic_seconds()
        if now >= self._afresh_at:
            self._compactor = Compactor(self._rules)
            self._afresh_at = now + AFRESH_SECONDS
        if now >= self._compact_at and not stop.is_set():
            self._compact()
            self._merge_unseen(stop)
            self._compact_at = now + COMPACT_SECONDS
        if now >= self._rolling_at and not stop.is_set():
            self._roll()
            self._rolling_at = now + ROLLING_SECONDS
        if now >= self._drop_at and not stop.is_set():
            dropped = drop_expired(self._engine, self._settings, walk=self._walk, stop=stop)
            if dropped:
                ROWS_DROPPED.inc(dropped)
                log.info("retention.applied", rows=dropped)
            self._drop_at = now + DROP_SECONDS

    def _reload(self) -> None:
        with self._engine.connect() as connection:
            if read_generation(connection) != self._configuration.generation:
                self._configuration = load_configuration(connection)
                self._join_rules = join_rules(self._configuration)

    def _join(self, stop: threading.Event) -> None:
        more = bool(self._join_rules)
        while more and not stop.is_set():
            with self._engine.begin() as connection:
                now = database_now_millis(connection)
                report = join_truths(connection, rules=self._join_rules, now=now)
            if report.changed:
                TRUTHS_JOINED.inc(report.changed)
                log.info("truths.joined", predictions=report.changed, taken=report.taken, probed=report.probed)
            more = report.more

    def _merge_unseen(self, stop: threading.Event) -> None:
        more = True
        while more and not stop.is_set():
            with self._engine.begin() as connection:
                more = merge_unseen(connection, limit=UNSEEN_AT_ONCE) == UNSEEN_AT_ONCE

    def _clock_and_watermark(self) -> tuple[int, int | None]:
        topics = self._settings.predictions_topics
        with self._engine.connect() as connection:
            partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=topics)
            now = database_now_millis(connection)
        return now, model_watermark(partitions, now=now, rules=self._rules).value

    def _roll(self) -> None:
        now, watermark = self._clock_and_watermark()
        if watermark is None:
            return
        for applied in self._configuration.models:
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
        _, watermark = self._clock_and_watermark()
        if watermark is None:
            return
        for applied in self._configuration.models:
            # First what needs short spans, then what sums them up.
            self._keeper.keep(self._engine, applied, watermark=watermark)
            replaced = self._compactor.compact(self._engine, applied, watermark=watermark)
            if replaced:
                PANES_COMPACTED.inc(replaced)
                log.info("panes.compacted", model=str(applied.key), rows=replaced)

"""The faults: killed, frozen and restarted roles, services that go away, members that join and leave."""

import random
import signal
import time
from collections.abc import Callable

import sqlalchemy as sa

from monitor.store.schema import flush
from tests.soak.installation import ALWAYS, Installation
from tests.soak.plan import SESSION_MILLISECONDS, SoakPlan

WORKERS = ("ingest-a", "ingest-b")
WORKER_SECONDS = 60.0
PAST_SESSION_SECONDS = SESSION_MILLISECONDS / 1000 + 3


class Disturber:
    """Draws one fault after the other from the plan's seed; each leaves every role running."""

    def __init__(self, plan: SoakPlan, installation: Installation) -> None:
        self._draw = random.Random(plan.seed + 1)
        self._pause_seconds = plan.pause_seconds
        self._under_test = installation
        self._faults: dict[Callable[[], None], int] = {
            self._kill_worker: 24,
            self._restart_worker: 15,
            self._kill_alerter: 5,
            self._kill_maintain: 7,
            self._restart_alerter: 3,
            self._restart_maintain: 3,
            self._freeze_shortly: 6,
            self._freeze_past_session: 3,
            self._third_worker: 5,
            self._kill_both_workers: 2,
            self._restart_postgres: 2,
            self._crash_postgres: 2,
            self._restart_broker: 1,
            self._kill_broker: 1,
        }
        self._each_once = list(self._faults)
        self._draw.shuffle(self._each_once)

    def run_until(self, deadline: float) -> None:
        """One fault after the other until the monotonic second *deadline*; each kind once before any is drawn."""
        while time.monotonic() < deadline or self._each_once:
            time.sleep(self._draw.uniform(0.2, self._pause_seconds))
            self._under_test.mend()
            fault = self._each_once.pop() if self._each_once else self._drawn()
            fault()

    def _drawn(self) -> Callable[[], None]:
        return self._draw.choices(list(self._faults), weights=list(self._faults.values()))[0]

    def _kill(self, name: str) -> None:
        self._under_test.roles.stop(name, by=signal.SIGKILL)
        self._under_test.tally.kills[name] += 1
        self._under_test.start(name)

    def _restart(self, name: str) -> None:
        self._under_test.stop(name)
        self._under_test.tally.restarts[name] += 1
        self._under_test.start(name)

    def _kill_worker(self) -> None:
        self._kill(self._draw.choice(WORKERS))

    def _restart_worker(self) -> None:
        self._restart(self._draw.choice(WORKERS))

    def _kill_alerter(self) -> None:
        self._kill("alerter")

    def _kill_maintain(self) -> None:
        self._kill("maintain")

    def _restart_alerter(self) -> None:
        self._restart("alerter")

    def _restart_maintain(self) -> None:
        self._restart("maintain")

    def _kill_both_workers(self) -> None:
        for name in WORKERS:
            self._kill(name)

    def _freeze_shortly(self) -> None:
        self._freeze(self._draw.choice(ALWAYS), self._draw.uniform(0.5, 4.0))

    def _freeze_past_session(self) -> None:
        """The other worker has its partitions by the time it goes on: it must be refused."""
        self._freeze(self._flushing_worker(), PAST_SESSION_SECONDS)

    def _flushing_worker(self) -> str:
        """Return the worker that flushed last: it holds partitions, and records by now that it has not flushed."""
        deadline = time.monotonic() + WORKER_SECONDS
        newest = sa.select(flush.c.worker).order_by(flush.c.id.desc()).limit(1)
        while time.monotonic() < deadline:
            with self._under_test.engine.connect() as connection:
                process = str(connection.execute(newest).scalar()).rpartition(":")[2]
            for name in WORKERS:
                if str(self._under_test.roles.running[name].pid) == process:
                    return name
            time.sleep(0.2)
        raise AssertionError(f"expected a worker to flush something, found none in {WORKER_SECONDS:g} s")

    def _freeze(self, name: str, seconds: float) -> None:
        process = self._under_test.roles.running[name]
        process.send_signal(signal.SIGSTOP)
        self._under_test.tally.freezes[name] += 1
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def _third_worker(self) -> None:
        self._under_test.start("ingest-c")
        self._under_test.tally.joins += 1
        time.sleep(self._draw.uniform(2.0, 8.0))
        if self._draw.random() < 0.5:
            self._under_test.stop("ingest-c")
            self._under_test.tally.restarts["ingest-c"] += 1
        else:
            self._under_test.roles.stop("ingest-c", by=signal.SIGKILL)
            self._under_test.tally.kills["ingest-c"] += 1

    def _restart_postgres(self) -> None:
        self._under_test.postgres.restart("fast")
        self._under_test.tally.restarts["postgres"] += 1

    def _crash_postgres(self) -> None:
        self._under_test.postgres.restart("immediate")
        self._under_test.tally.kills["postgres"] += 1

    def _restart_broker(self) -> None:
        self._under_test.broker.restart()
        self._under_test.tally.restarts["kafka"] += 1

    def _kill_broker(self) -> None:
        self._under_test.broker.kill()
        self._under_test.broker.start()
        self._under_test.tally.kills["kafka"] += 1

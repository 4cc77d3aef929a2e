"""Which endpoints are served at once: few of one host, the first ones first, none twice."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from alerting.delivery.pool import SenderPool
from monitor.store.outbox import DuePlace


@dataclass
class Served:
    """Endpoints in the order in which they were begun; each is held until it is let go."""

    begun: list[int] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, endpoint_id: int) -> None:
        with self.changed:
            self.begun.append(endpoint_id)
            self.held.add(endpoint_id)
            self.changed.notify_all()
            self.changed.wait_for(lambda: endpoint_id not in self.held, timeout=30)

    def let_go(self, *endpoint_ids: int) -> None:
        with self.changed:
            self.held -= set(endpoint_ids)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=30), self.begun


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def pool(served: Served) -> Iterator[SenderPool]:
    running = SenderPool(served.serve, name="test", size=6, per_host=2, trusted=5)
    yield running
    closing = threading.Thread(target=running.close)
    closing.start()
    while closing.is_alive():
        served.let_go(*served.held)
        time.sleep(0.01)


def place(endpoint_id: int, host: str | None = "https://chat:443", *, silent: int = 0) -> DuePlace:
    return DuePlace(endpoint_id=endpoint_id, host=host, silent=silent, acts=False)


def test_a_host_has_few_at_once_and_others_pass(pool: SenderPool, served: Served) -> None:
    """Ten of one host, then one of another: two of the ten and the other one are begun."""
    pool.offer([*(place(number) for number in range(10)), place(10, "https://mail:443")])
    served.wait(lambda: len(served.begun) == 3)
    assert sorted(served.begun) == [0, 1, 10]
    served.let_go(0)
    served.wait(lambda: len(served.begun) == 4)
    assert served.begun[3] == 2


def test_a_silent_host_is_tried_by_one(pool: SenderPool, served: Served) -> None:
    """After its breaker was open: one attempt shows whether it is back."""
    pool.offer([*(place(number, silent=5) for number in range(4)), place(9, None)])
    served.wait(lambda: len(served.begun) == 2)
    assert sorted(served.begun) == [0, 9]


def test_what_is_under_way_is_not_begun_twice_and_old_offers_lapse(pool: SenderPool, served: Served) -> None:
    """A new look at what is due replaces the last one."""
    pool.offer([place(1), place(2), place(3)])
    served.wait(lambda: len(served.begun) == 2)
    pool.offer([place(1), place(4)])
    served.let_go(2)
    served.wait(lambda: len(served.begun) == 3)
    assert served.begun[2] == 4


def test_endpoints_without_a_host_are_bounded_by_the_threads_alone(pool: SenderPool, served: Served) -> None:
    """The log has no host that could be slow."""
    pool.offer([place(number, None) for number in range(9)])
    served.wait(lambda: len(served.begun) == 6)
    assert len(served.begun) == 6


def test_closed_it_begins_nothing(served: Served) -> None:
    """What is under way is waited for; the rest is left to others."""
    running = SenderPool(served.serve, name="test", size=1, per_host=1, trusted=5)
    running.offer([place(1), place(2, "https://mail:443")])
    served.wait(lambda: served.begun == [1])
    closing = threading.Thread(target=running.close)
    closing.start()
    served.let_go(1)
    closing.join(30)
    assert not closing.is_alive()
    assert served.begun == [1]

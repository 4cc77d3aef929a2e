"""The watermark, story by story. Times in minutes; disorder 1, idle time-out 1, lateness 60, settle 5 s."""

from monitor.types import MINUTE_MILLIS, PartitionKey
from monitor.windows.watermark import (
    PartitionState,
    Watermark,
    WatermarkRules,
    model_watermark,
    open_from,
    topic_watermark,
)

RULES = WatermarkRules()
NOON = 1_700_000_000_000 // MINUTE_MILLIS * MINUTE_MILLIS


def at(minutes: float) -> int:
    return NOON + int(minutes * MINUTE_MILLIS)


def partition(
    number: int,
    *,
    newest: float | None,
    caught_up: float | None,
    heartbeat: float | None = 0,
    paused: bool = False,
    topic: str = "predictions",
) -> PartitionState:
    return PartitionState(
        key=PartitionKey(topic, number),
        max_event_time=None if newest is None else at(newest),
        caught_up_at=None if caught_up is None else at(caught_up),
        heartbeat_at=None if heartbeat is None else at(heartbeat),
        paused=paused,
    )


def watermark(*partitions: PartitionState, now: float = 0) -> Watermark:
    return topic_watermark(partitions, now=at(now), rules=RULES)


def test_a_caught_up_partition_holds_nothing_back() -> None:
    """An idle partition read to its end does not keep the others' windows open (F13).

    ::

        minutes    -30 ......... -1  now
        [0]         x (end)
        [1]         x  x  x  x  x         -> newest -1, less a minute of disorder
    """
    found = watermark(partition(0, newest=-30, caught_up=-20), partition(1, newest=-1, caught_up=-1))
    assert found == Watermark(value=at(-2), held_by=None, live=True)


def test_no_event_time_passes_the_clock() -> None:
    """A clock that is ahead, by minutes or by two years, closes no window before its time (F12).

    ::

        minutes    -1   now   +3 ......... +730 days
        [0]                    x (end)      x        -> now, less a minute of disorder
        [1]         x (end)
    """
    for ahead in (3, 730 * 24 * 60):
        found = watermark(partition(0, newest=ahead, caught_up=-1), partition(1, newest=-1, caught_up=-1))
        assert found == Watermark(value=at(-1), held_by=None, live=True)
        holding = watermark(partition(0, newest=ahead, caught_up=None))
        assert (holding.value, holding.held_by) == (at(-1), PartitionKey("predictions", 0))


def test_a_lagging_partition_holds_at_its_own_event_time() -> None:
    """What a partition has still to bring may lie right after its newest event.

    ::

        [0]   x x x -10 |????|            lags
        [1]   x x x x x x x x -1 (end)
    """
    found = watermark(partition(0, newest=-10, caught_up=None), partition(1, newest=-1, caught_up=-1))
    assert found == Watermark(value=at(-11), held_by=PartitionKey("predictions", 0), live=True)


def test_the_partition_furthest_behind_is_named() -> None:
    """Of two that hold, the one furthest behind decides and is told."""
    found = watermark(partition(0, newest=-10, caught_up=None), partition(1, newest=-12, caught_up=None))
    assert (found.value, found.held_by) == (at(-13), PartitionKey("predictions", 1))


def test_paused_is_not_idle() -> None:
    """A paused partition holds, although its end was once reached (F13)."""
    found = watermark(partition(0, newest=-10, caught_up=-9, paused=True), partition(1, newest=-1, caught_up=-1))
    assert (found.value, found.held_by) == (at(-11), PartitionKey("predictions", 0))


def test_a_dead_worker_holds() -> None:
    """Half a minute without a heartbeat: nobody knows what is in the partition."""
    alive = watermark(partition(0, newest=-2, caught_up=-2, heartbeat=-0.5))
    dead = watermark(partition(0, newest=-2, caught_up=-2, heartbeat=-0.51))
    never = watermark(partition(0, newest=-2, caught_up=-2, heartbeat=None))
    assert alive.held_by is None
    assert dead.held_by == never.held_by == PartitionKey("predictions", 0)
    assert dead.value == never.value == at(-3)


def test_the_end_must_have_been_reached_for_a_while() -> None:
    """A partition at its end for under five seconds still holds: its producer may be in the middle of a burst.

    ::

        [0]  x -30 (end since 4 s)   -> holds
        [1]  x x x x -1 (end)
    """
    other = partition(1, newest=-1, caught_up=-1)
    just_now = watermark(partition(0, newest=-30, caught_up=-4 / 60), other)
    settled = watermark(partition(0, newest=-30, caught_up=-5 / 60), other)
    assert (just_now.value, just_now.held_by) == (at(-31), PartitionKey("predictions", 0))
    assert settled.held_by is None


def test_an_empty_partition_read_to_its_end_holds_nothing() -> None:
    """Keys may never fall on a partition; it holds nothing from the first moment at its end on."""
    found = watermark(partition(0, newest=None, caught_up=0), partition(1, newest=-1, caught_up=-1))
    assert found == Watermark(value=at(-2), held_by=None, live=True)


def test_an_unread_partition_leaves_no_watermark() -> None:
    """Before anything of a partition was read, nothing can be said to be complete."""
    found = watermark(partition(0, newest=None, caught_up=None), partition(1, newest=-1, caught_up=-1))
    assert (found.value, found.held_by) == (None, PartitionKey("predictions", 0))


def test_live_windows_close_when_traffic_stops() -> None:
    """While live, time goes on without events: at least now less idle time-out and disorder.

    ::

        x x x -30 (end reached at -30)  . . . . . . now     -> -2
    """
    found = watermark(partition(0, newest=-30, caught_up=-30))
    assert found == Watermark(value=at(-2), held_by=None, live=True)


def test_a_backfill_follows_event_time_alone() -> None:
    """Events that were over an hour old when the end was reached are history: no clock moves their windows."""
    live = watermark(partition(0, newest=-90, caught_up=-30))
    history = watermark(partition(0, newest=-90.1, caught_up=-30))
    assert live.live
    assert history == Watermark(value=at(-91.1), held_by=None, live=False)


def test_no_topic_no_watermark() -> None:
    """Without a partition, and without an event, there is none."""
    assert topic_watermark((), now=NOON, rules=RULES) == Watermark(value=None)
    assert model_watermark((), now=NOON, rules=RULES) == Watermark(value=None)


def test_the_slowest_topic_decides() -> None:
    """Two topics that go on: the least."""
    one = (partition(0, newest=-1, caught_up=-1),)
    two = (partition(0, newest=-9, caught_up=None, topic="eu"),)
    found = model_watermark((one, two), now=NOON, rules=RULES)
    assert (found.value, found.held_by) == (at(-10), PartitionKey("eu", 0))


def test_a_finished_backfill_beside_live_traffic_holds_nothing() -> None:
    """Last month's topic, read to its end, does not hold today's windows; while it lags, it does."""
    live = (partition(0, newest=-1, caught_up=-1),)
    finished = (partition(0, newest=-40_000, caught_up=-30, topic="backfill"),)
    lagging = (partition(0, newest=-40_000, caught_up=None, topic="backfill"),)
    assert model_watermark((live, finished), now=NOON, rules=RULES).value == at(-2)
    assert model_watermark((live, lagging), now=NOON, rules=RULES).value == at(-40_001)
    assert model_watermark((finished,), now=NOON, rules=RULES).value == at(-40_001)


def test_a_topic_without_events_does_not_count_but_an_unread_one_does() -> None:
    """An empty topic read to its end is left out; one nobody has read leaves no watermark."""
    live = (partition(0, newest=-1, caught_up=-1),)
    empty = (partition(0, newest=None, caught_up=-1, topic="eu"),)
    unread = (partition(0, newest=None, caught_up=None, topic="eu"),)
    assert model_watermark((live, empty), now=NOON, rules=RULES).value == at(-2)
    assert model_watermark((live, unread), now=NOON, rules=RULES).value is None


def test_an_idle_partition_may_still_bring_old_events_for_a_day() -> None:
    """Late is decided by its own newest event: what it has not seen, nobody can call late; after a day nobody waits.

    ::

        [0]   x x -300 . . . . . . . . . . . .     accepts from -361 on
        [1]   x x x x x x x x x x x x x x x -1     accepts from  -62 on
    """
    busy = partition(1, newest=-1, caught_up=-1)

    def opened(*others: PartitionState) -> int:
        return open_from([(busy, *others)], watermark=at(-2), rules=RULES)

    assert opened() == at(-62)
    assert opened(partition(0, newest=-300, caught_up=-300)) == at(-361)
    assert opened(partition(0, newest=None, caught_up=-1)) == at(-2 - 24 * 60)
    assert opened(partition(0, newest=-9_000, caught_up=-1)) == at(-2 - 24 * 60)

"""The watermark, story by story. Times in minutes; disorder 1, idle time-out 1, lateness 60."""

from monitor.types import PartitionKey
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import PartitionProgress, Watermark, WatermarkRules, open_from, watermark_of

RULES = WatermarkRules()
NOON = 1_700_000_000_000 // MINUTE_MILLIS * MINUTE_MILLIS


def at(minutes: float) -> int:
    return NOON + int(minutes * MINUTE_MILLIS)


def partition(
    number: int,
    *,
    newest: float | None,
    caught_up: float | None,
    confirmed: float | None = None,
    heartbeat: float | None = 0,
    paused: bool = False,
    topic: str = "predictions",
) -> PartitionProgress:
    return PartitionProgress(
        key=PartitionKey(topic, number),
        max_event_time=None if newest is None else at(newest),
        caught_up_at=None if caught_up is None else at(caught_up),
        confirmed_event_time=None if confirmed is None else at(confirmed),
        heartbeat_at=None if heartbeat is None else at(heartbeat),
        paused=paused,
    )


def watermark(*partitions: PartitionProgress, now: float = 0) -> Watermark:
    return watermark_of(partitions, now=at(now), rules=RULES)


def test_a_partition_that_confirmed_the_newest_event_holds_nothing_back() -> None:
    """An idle partition read to its end does not keep the others' windows open (F13).

    ::

        minutes    -30 ......... -1  now
        [0]         x (end) . . . c
        [1]         x  x  x  x  x         -> newest -1, less a minute of disorder
    """
    result = watermark(
        partition(0, newest=-30, caught_up=-20, confirmed=-1), partition(1, newest=-1, caught_up=-1, confirmed=-3)
    )
    assert result == Watermark(value=at(-2), held_by=None, live=True)


def test_an_idle_partition_is_complete_up_to_what_it_confirmed() -> None:
    """Standing at its end says nothing of what came to others since it was last looked at.

    ::

        [0]   x -30 (end) . . . c -4 . . |????|
        [1]   x x x x x x x x x x x x x x x x x -1
    """
    other = partition(1, newest=-1, caught_up=-1)
    result = watermark(partition(0, newest=-30, caught_up=-20, confirmed=-4), other)
    assert (result.value, result.held_by) == (at(-5), PartitionKey("predictions", 0))
    before = watermark(partition(0, newest=-30, caught_up=-20), other)
    assert (before.value, before.held_by) == (at(-31), PartitionKey("predictions", 0))


def test_a_partition_without_events_holds_until_it_confirms() -> None:
    """The first burst into a new topic: while one partition's part of it is unread, no window of the others closes.

    ::

        [0]   (end, empty) |????|
        [1]   x x x x x x x x -1
    """
    burst = partition(1, newest=-1, caught_up=-1)
    unread = watermark(partition(0, newest=None, caught_up=-5), burst)
    assert (unread.value, unread.held_by) == (None, PartitionKey("predictions", 0))
    assert watermark(partition(0, newest=None, caught_up=-5, confirmed=-1), burst).value == at(-2)


def test_no_event_time_passes_the_clock() -> None:
    """A clock that is ahead, by minutes or by two years, closes no window before its time (F12).

    ::

        minutes    -1   now   +3 ......... +730 days
        [0]                    x (end)      x        -> now, less a minute of disorder
        [1]         x (end) c
    """
    for ahead in (3, 730 * 24 * 60):
        result = watermark(
            partition(0, newest=ahead, caught_up=-1), partition(1, newest=-1, caught_up=-1, confirmed=-0.1)
        )
        assert (result.value, result.live) == (at(-1.1), True)
        holding = watermark(partition(0, newest=ahead, caught_up=None))
        assert holding.value == at(-1)


def test_a_lagging_partition_holds_at_its_own_event_time() -> None:
    """What a partition has still to bring may lie right after its newest event.

    ::

        [0]   x x x -10 |????|            lags
        [1]   x x x x x x x x -1 (end)
    """
    result = watermark(partition(0, newest=-10, caught_up=None, confirmed=-12), partition(1, newest=-1, caught_up=-1))
    assert result == Watermark(value=at(-11), held_by=PartitionKey("predictions", 0), live=True)


def test_the_partition_furthest_behind_is_named() -> None:
    """Of two that hold, the one furthest behind decides and is named."""
    result = watermark(
        partition(0, newest=-10, caught_up=None),
        partition(1, newest=-12, caught_up=None),
        partition(2, newest=-1, caught_up=-1),
    )
    assert (result.value, result.held_by) == (at(-13), PartitionKey("predictions", 1))


def test_paused_is_not_idle() -> None:
    """A paused partition confirms nothing more, and the clock moves nothing while it is paused (F13)."""
    other = partition(1, newest=-1, caught_up=-1, confirmed=-1)
    result = watermark(partition(0, newest=-10, caught_up=-9, paused=True), other)
    assert (result.value, result.held_by) == (at(-11), PartitionKey("predictions", 0))
    before = partition(0, newest=-10, caught_up=-9, confirmed=-10, paused=True)
    result = watermark(before, partition(1, newest=-10, caught_up=-9, confirmed=-10))
    assert (result.value, result.held_by) == (at(-11), PartitionKey("predictions", 0))


def test_a_dead_worker_holds() -> None:
    """Half a minute without a heartbeat: nobody knows what is in the partition, and no clock closes its windows."""

    def result(heartbeat: float | None) -> tuple[int | None, PartitionKey | None]:
        result = watermark(partition(0, newest=-10, caught_up=-9, confirmed=-10, heartbeat=heartbeat))
        return result.value, result.held_by

    assert result(-0.5) == (at(-2.5), None)
    assert result(-0.51) == result(None) == (at(-11), PartitionKey("predictions", 0))


def test_the_clock_waits_for_every_partition_to_have_stood_at_its_end() -> None:
    """A partition in the middle of a burst is at its end for moments: its own newest event confirms nothing.

    ::

        [0]  x x x -30 (end just now)        its producer continues: -31, not now less two
        [1]  x (end) . . . . . . . c
    """
    idle = partition(1, newest=-40, caught_up=-35, confirmed=-30)
    assert watermark(partition(0, newest=-30, caught_up=0), idle).value == at(-31)
    assert watermark(partition(0, newest=-30, caught_up=0, confirmed=-32), idle).value == at(-31)
    assert watermark(partition(0, newest=-30, caught_up=0, confirmed=-30), idle).value == at(-2)


def test_an_unread_partition_leaves_no_watermark() -> None:
    """Before anything of a partition was read, nothing can be said to be complete."""
    result = watermark(partition(0, newest=None, caught_up=None), partition(1, newest=-1, caught_up=-1))
    assert (result.value, result.held_by) == (None, PartitionKey("predictions", 0))


def test_live_windows_close_when_traffic_stops() -> None:
    """While live, time advances without events: at least the oldest heartbeat less idle time-out and disorder.

    ::

        x x x -30 (end reached at -30)  . . . . . . now     -> -2
    """
    result = watermark(partition(0, newest=-30, caught_up=-30, confirmed=-30))
    assert result == Watermark(value=at(-2), held_by=None, live=True)
    late = partition(1, newest=None, caught_up=-40, confirmed=-30, heartbeat=-0.25)
    assert watermark(partition(0, newest=-30, caught_up=-30, confirmed=-30), late).value == at(-2.25)


def test_a_backfill_follows_event_time_alone() -> None:
    """Events that were over an hour old when the end was reached are history: no clock moves their windows."""
    live = watermark(partition(0, newest=-90, caught_up=-30, confirmed=-90))
    history = watermark(partition(0, newest=-90.1, caught_up=-30, confirmed=-90.1))
    assert (live.live, live.value) == (True, at(-2))
    assert history == Watermark(value=at(-91.1), held_by=None, live=False)


def test_no_partition_no_watermark() -> None:
    """Without a partition, and without an event, there is none."""
    assert watermark() == Watermark(value=None)
    assert watermark(partition(0, newest=None, caught_up=-1), partition(1, newest=None, caught_up=-1)).value is None


def test_all_topics_are_one() -> None:
    """The partition furthest behind decides, in whatever topic it is."""
    result = watermark(partition(0, newest=-1, caught_up=-1), partition(0, newest=-9, caught_up=None, topic="eu"))
    assert (result.value, result.held_by) == (at(-10), PartitionKey("eu", 0))


def test_a_finished_backfill_next_to_live_traffic_holds_nothing() -> None:
    """Last month's topic, read to its end, does not hold today's windows; while it lags, it does."""
    live = partition(0, newest=-1, caught_up=-1, confirmed=-1)
    finished = partition(0, newest=-40_000, caught_up=-30, confirmed=-1, topic="backfill")
    lagging = partition(0, newest=-40_000, caught_up=None, topic="backfill")
    assert watermark(live, finished).value == at(-2)
    assert watermark(live, lagging).value == at(-40_001)
    assert watermark(partition(0, newest=-40_000, caught_up=-30, confirmed=-40_000)).value == at(-40_001)


def test_an_idle_partition_may_still_bring_old_events_for_a_day() -> None:
    """Late is decided by its own newest event: what it has not seen, nobody can call late; after a day nobody waits.

    ::

        [0]   x x -300 . . . . . . . . . . . .     accepts from -361 on
        [1]   x x x x x x x x x x x x x x x -1     accepts from  -62 on
    """
    busy = partition(1, newest=-1, caught_up=-1)

    def opened(*others: PartitionProgress) -> int:
        return open_from([busy, *others], watermark=at(-2), rules=RULES)

    assert opened() == at(-62)
    assert opened(partition(0, newest=-300, caught_up=-300)) == at(-361)
    assert opened(partition(0, newest=None, caught_up=-1)) == at(-2 - 24 * 60)
    assert opened(partition(0, newest=-9_000, caught_up=-1)) == at(-2 - 24 * 60)

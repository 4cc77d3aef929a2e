"""The story's pauses: records wait at each moment until they are resumed, and never after the end."""

import threading
import time
from collections.abc import Callable

from driftline.demo.pauses import PausedRecords
from driftline.replay.events import TimedRecord
from monitor.types import TopicRole

RECORDS = [
    TimedRecord(at, TopicRole.TRUTHS if at % 2 else TopicRole.PREDICTIONS, str(at), b"") for at in range(0, 60, 5)
]


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def reader(paused: PausedRecords, seen: list[int]) -> threading.Thread:
    thread = threading.Thread(target=lambda: seen.extend(record.at for record in paused), daemon=True)
    thread.start()
    return thread


def test_records_wait_at_each_moment_until_they_are_resumed() -> None:
    """At 20 and at 41 nothing from there on was handed out; resumed, all of it comes, in order, and is counted."""
    paused = PausedRecords(RECORDS, moments=(20, 41))
    seen: list[int] = []
    thread = reader(paused, seen)
    for moment, sent, truths in ((20, 4, 2), (41, 9, 4)):
        wait_until(lambda moment=moment: paused.waits_at == moment)
        assert (paused.sent, paused.truths) == (sent, truths)
        paused.resume()
    thread.join(30)
    assert seen == [record.at for record in RECORDS]
    assert (paused.waits_at, paused.sent, paused.truths) == (None, 12, 6)


def test_moments_between_the_same_records_are_waited_at_one_by_one() -> None:
    """Two moments before the next record are two pauses."""
    paused = PausedRecords(RECORDS, moments=(21, 22))
    thread = reader(paused, [])
    for moment in (21, 22):
        wait_until(lambda moment=moment: paused.waits_at == moment)
        assert paused.sent == 5
        paused.resume()
    thread.join(30)
    assert paused.sent == len(RECORDS)


def test_the_end_hands_out_nothing_more_wherever_they_wait() -> None:
    """Ended in a pause, the reader comes back at once; ended before, it gets nothing."""
    paused = PausedRecords(RECORDS, moments=(20, 41))
    seen: list[int] = []
    thread = reader(paused, seen)
    wait_until(lambda: paused.waits_at == 20)
    paused.end()
    thread.join(30)
    assert not thread.is_alive()
    assert seen == [0, 5, 10, 15]
    ended = PausedRecords(RECORDS, moments=(0,))
    ended.end()
    assert list(ended) == []

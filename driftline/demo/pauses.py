"""Records that wait at moments of the story until the installation has judged what came before."""

import threading
from collections.abc import Iterable, Iterator

from driftline.replay.events import TimedRecord
from monitor.types import TopicRole


class PausedRecords:
    """*records* in order of time; at each of *moments* (ms, ascending) they wait to be resumed.

    The producer's thread iterates, another one looks and resumes. What is counted was handed out before, and sent
    unless it is the last one.
    """

    def __init__(self, records: Iterable[TimedRecord], *, moments: Iterable[int]) -> None:
        self._records = records
        self._moments = tuple(moments)
        self._resumed = threading.Event()
        self._ended = False
        self.waits_at: int | None = None
        self.sent = 0
        self.truths = 0

    def __iter__(self) -> Iterator[TimedRecord]:
        moments = list(self._moments)
        for record in self._records:
            while moments and record.at >= moments[0] and not self._ended:
                self._resumed.clear()
                self.waits_at = moments.pop(0)
                if not self._ended:  # it may have ended just before the event was cleared
                    self._resumed.wait()
            if self._ended:
                return
            yield record
            self.sent += 1
            self.truths += record.role is TopicRole.TRUTHS

    def resume(self) -> None:
        """Go on from where they wait."""
        self.waits_at = None
        self._resumed.set()

    def end(self) -> None:
        """Hand out nothing more, wherever they are."""
        self._ended = True
        self.resume()

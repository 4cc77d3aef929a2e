"""Health of a role: services that are away and since when, what it cannot do, the progress of each of its loops."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from monitor.clock import monotonic_seconds

STARTING = "starting"

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Outage:
    """*seen_by*: the loops that failed and have not succeeded since."""

    reason: str
    since: float
    degrades: bool
    seen_by: set[str]
    failures: int = 1


@dataclass(slots=True, kw_only=True)
class _Progress:
    at: float
    within_seconds: float


class Health:
    """What a role knows of itself; safe between threads, and readable from any of them, however stuck its loops are.

    An outage is one log line when it begins and one when it ends, with the number of failures between; its newest words
    are part of the reason until `back`, and of nothing afterwards. It is "starting" until a loop gets on.

    Args:
        seconds: A clock for intervals.
    """

    def __init__(self, *, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._problem: str | None = STARTING
        self._notices: tuple[str, ...] = ()
        self._outages: dict[str, _Outage] = {}
        self._progress: dict[str, _Progress] = {}

    def report(self, healthy: bool, reason: str) -> None:
        """Remember what the role says of itself, in place of what it said before."""
        with self._lock:
            self._problem = None if healthy else reason or "no reason given"

    def note(self, notices: Sequence[str]) -> None:
        """Remember what the operator should know although the role is healthy."""
        with self._lock:
            self._notices = tuple(notices)

    def away(self, service: str, reason: str, *, seen_by: str = "", degrades: bool = True) -> None:
        """*service* failed with *reason*, once more or for the first time; *degrades* False: the role does without."""
        with self._lock:
            known = self._outages.get(service)
            if known is not None:
                known.reason = reason
                known.failures += 1
                known.seen_by.add(seen_by)
                return
            self._outages[service] = _Outage(reason=reason, since=self._seconds(), degrades=degrades, seen_by={seen_by})
        log.warning("service.lost", service=service, reason=reason)

    def back(self, service: str, *, seen_by: str = "") -> None:
        """*service* works for the loop that says so; the outage ends when it does for all that saw it."""
        with self._lock:
            known = self._outages.get(service)
            if known is None:
                return
            known.seen_by.discard(seen_by)
            if known.seen_by:
                return
            del self._outages[service]
            seconds = self._seconds() - known.since
        log.info("service.restored", service=service, seconds=round(seconds, 1), failures=known.failures)

    def progress(self, loop: str, *, within_seconds: float, seconds_ago: float = 0.0) -> None:
        """*loop* got on *seconds_ago*; the role is unhealthy when it does not again within *within_seconds* of that."""
        with self._lock:
            if self._problem == STARTING:
                self._problem = None
            self._progress[loop] = _Progress(at=self._seconds() - seconds_ago, within_seconds=within_seconds)

    @property
    def ages(self) -> dict[str, float]:
        """Seconds since each loop got on."""
        with self._lock:
            now = self._seconds()
            return {loop: now - progress.at for loop, progress in sorted(self._progress.items())}

    @property
    def services_away(self) -> frozenset[str]:
        """What is away now."""
        with self._lock:
            return frozenset(self._outages)

    @property
    def reason(self) -> str | None:
        """Why the role is not healthy; None when it is."""
        with self._lock:
            now = self._seconds()
            reasons = [] if self._problem is None else [self._problem]
            reasons += [outage.reason for _, outage in sorted(self._outages.items()) if outage.degrades]
            reasons += [
                f"no {loop} for {now - progress.at:.0f} s, expected one within {progress.within_seconds:.0f} s"
                for loop, progress in sorted(self._progress.items())
                if now - progress.at > progress.within_seconds
            ]
        return "; ".join(reasons) or None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know although the role is healthy: what it does without, and what it noted."""
        with self._lock:
            missed = [outage.reason for _, outage in sorted(self._outages.items()) if not outage.degrades]
            return (*missed, *self._notices)

"""The only file that reads the time."""

import time
from datetime import UTC, datetime


def now_millis() -> int:
    """Return the wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic_seconds() -> float:
    """Return a clock for intervals, in seconds from an arbitrary start."""
    return time.monotonic()


def cpu_seconds() -> float:
    """Return the CPU time of this process in seconds."""
    return time.process_time()


def sleep_seconds(seconds: float) -> None:
    """Block the calling thread."""
    time.sleep(seconds)


def iso_utc(millis: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC, without a fraction when it is zero."""
    moment = datetime.fromtimestamp(millis / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{millis % 1000:03d}" if millis % 1000 else "") + "Z"


def to_datetime(millis: int) -> datetime:
    """Return epoch milliseconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(millis // 1000, tz=UTC).replace(microsecond=millis % 1000 * 1000)


def to_millis(moment: datetime) -> int:
    """Return an aware datetime in epoch milliseconds."""
    return int(moment.timestamp() * 1_000_000 + 0.5) // 1000

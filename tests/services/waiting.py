"""Wait for a condition, with a deadline."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], what: str | Callable[[], str] = "it", *, seconds: float = 120) -> None:
    """Return when *condition* holds; fail after *seconds*, naming *what* was waited for (or why it did not come)."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what if isinstance(what, str) else what()}")
        time.sleep(0.05)

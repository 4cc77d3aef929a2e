"""Named places where a test can kill this process (SIGKILL), as a power cut would, or make it pause once."""

import os
import signal

from monitor.clock import sleep_seconds

_slept: set[str] = set()


def reach(name: str) -> None:
    """Do nothing, unless the environment names this place.

    ``DRIFTLINE_FAILPOINT=<name>`` kills this process (SIGKILL); ``<name>=<seconds>`` has it stand still that long the
    first time it comes here.
    """
    chosen = os.environ.get("DRIFTLINE_FAILPOINT")
    if not chosen:
        return
    place, _, seconds = chosen.partition("=")
    if place != name or name in _slept:
        return
    if not seconds:
        os.kill(os.getpid(), signal.SIGKILL)
    _slept.add(name)
    sleep_seconds(float(seconds))

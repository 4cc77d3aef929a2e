"""A named place where a test may have this process die, as if the power had gone."""

import os
import signal


def reach(name: str) -> None:
    """Kill this process (SIGKILL) when the environment says ``DRIFTLINE_FAILPOINT=<name>``; do nothing otherwise."""
    if os.environ.get("DRIFTLINE_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)

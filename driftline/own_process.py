"""How Driftline starts itself as a child: the same program, whatever lies in the working folder."""

import os
import sys
from collections.abc import Mapping

from driftline.own_packages import ROOT

SUPERVISOR_VARIABLE = "DRIFTLINE_SUPERVISOR"
"""The process id of the `driftline up` that started a role, which ends with it."""


def own_process(*arguments: str) -> tuple[str, ...]:
    """Return the command line of `driftline ARGUMENTS`; -P keeps Python from importing a `monitor.py` lying around."""
    return (sys.executable, "-P", "-m", "driftline", *arguments)


def own_process_environment() -> Mapping[str, str]:
    """Return what the child's environment needs on top of ours to find this very program.

    Nothing as a rule. `python -m driftline` in a clone may have found Driftline in the working folder, which -P leaves
    out: then that folder goes to the front of PYTHONPATH, where it was for us.
    """
    if sys.path[:1] != [ROOT]:
        return {}
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{inherited}" if inherited else ROOT}


def supervisor_is_lost() -> bool:
    """Whether the `driftline up` that started this process is no longer its parent, killed for example."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    return supervisor is not None and supervisor != str(os.getppid())

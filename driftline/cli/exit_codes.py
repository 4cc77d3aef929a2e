"""Exit codes, which error ends with which, and leaving on a signal."""

import signal
import sys
from enum import IntEnum

from monitor.errors import DriftlineError, SchemaVersionError, SettingsError, SpecError, UnavailableError


class ExitCode(IntEnum):
    """What `driftline` ends with; part of the public contract."""

    OK = 0
    FAILED = 1
    WRONG_USE = 2
    UNAVAILABLE = 3
    STORY_FAILED = 4


class WrongUseError(DriftlineError):
    """The command was given what cannot be done; says what was expected and found."""


def exit_code_of(error: DriftlineError) -> ExitCode:
    """Return the exit code for an error that Driftline raised on purpose."""
    match error:
        case SpecError() | SettingsError() | WrongUseError():
            return ExitCode.WRONG_USE
        case UnavailableError() | SchemaVersionError():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.FAILED


def leave_by_exception() -> None:
    """Let SIGTERM, SIGHUP and SIGINT raise, so that children are ended on the way out."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup: it is to go on without its terminal
        signal.signal(signal.SIGHUP, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job comes with it ignored

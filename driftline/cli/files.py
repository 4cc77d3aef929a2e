"""Files that people name: what the system says of them becomes a message instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from driftline.cli.exit_codes import WrongUseError


@contextmanager
def named_files() -> Iterator[None]:
    """Raise `WrongUseError` for a file that cannot be read or written where it is named: too long a name, no rights."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename
        if name is None:
            raise
        problem = f"expected a file that can be read or written there, found: {error.strerror}"
        raise WrongUseError(f"{name}: {problem}") from error

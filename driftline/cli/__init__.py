"""The `driftline` command; errors become exit codes here and nowhere else."""

import sys

from driftline.cli.commands import app
from driftline.cli.exits import exit_code_of
from monitor.errors import DriftlineError


def main() -> None:
    """Run the command line; a known error is told in its own words, without a traceback."""
    try:
        app()
    except DriftlineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(exit_code_of(error))

"""The `driftline` command; errors become exit codes here and nowhere else."""

import sys

from driftline.own_packages import ForeignPackageError, require_own_packages

_WRONG_USE = 2  # ExitCode.WRONG_USE, which cannot be imported before the packages are known to be ours


def main() -> None:
    """Run the command line; a known error ends in its own words, without a traceback."""
    try:
        require_own_packages()
    except ForeignPackageError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_WRONG_USE)
    from driftline.cli.app import app
    from driftline.cli.exit_codes import exit_code_of
    from monitor.errors import DriftlineError
    from monitor.humanize import printable_lines

    try:
        app()
    except DriftlineError as error:
        sys.stderr.write(f"{printable_lines(str(error))}\n")
        sys.exit(exit_code_of(error))

"""What people name that cannot be: files, of which the system says why, and versions."""

from pathlib import Path

import pytest

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.files import named_files
from driftline.cli.init import spec_files
from driftline.cli.profile_report import write_profile
from driftline.cli.reference.adopt_of_version import adopt_of_version
from driftline.cli.reference.build import refuse_existing
from driftline.cli.reference.resolve import given_reference
from monitor.errors import SpecError

LONG = "x" * 300


def test_a_name_too_long_for_a_file_is_said() -> None:
    with pytest.raises(WrongUseError, match=f"{LONG}: expected a file .* found: File name too long"):
        given_reference(LONG)
    with pytest.raises(WrongUseError, match="File name too long"):
        refuse_existing(Path(LONG), force=False)
    with pytest.raises(WrongUseError, match="File name too long"):
        spec_files(Path(LONG), "credit", force=True)


def test_a_directory_is_not_overwritten(tmp_path: Path) -> None:
    """Even with --force: it was a traceback."""
    with pytest.raises(SpecError, match="expected the name of a file to write, found a directory"):
        refuse_existing(tmp_path, force=True)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongUseError, match=r"file: expected a file .* found: (Not a directory|File exists)"):
        write_profile(b"", tmp_path / "file" / "credit.reference")


def test_what_is_not_about_a_file_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError), named_files():
        raise TimeoutError("no answer")


@pytest.mark.parametrize("version", ["", "v" * 201])
def test_a_version_of_which_no_event_can_be_is_refused(version: str) -> None:
    with pytest.raises(WrongUseError, match=f"up to 200 characters, found {len(version)}"):
        adopt_of_version("credit", version, "credit.reference", as_json=False)

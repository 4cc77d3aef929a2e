"""Every Python process of ours is this very program, and nothing in the working folder can take its place."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from driftline import cli, own_packages
from driftline.cli.exit_codes import ExitCode
from driftline.own_process import own_process_environment
from driftline.supervisor import role_children
from monitor.settings import load_settings

ROOT = Path(__file__).parents[3]
PRODUCT = ("driftline", *own_packages.PACKAGES)


def test_children_do_not_import_from_the_working_folder() -> None:
    """The roles under `up` start with -P, which leaves the working folder out of Python's path."""
    children = role_children(load_settings(metrics_port=0), ingest_workers=1)
    assert [child.command for child in children] == [
        (sys.executable, "-P", "-m", "driftline", role) for role in ("ingest", "alerter", "maintain")
    ]


def test_one_file_starts_python() -> None:
    """No other file of the product names the interpreter, but for the one that says what to type."""
    naming = {
        str(path.relative_to(ROOT))
        for package in PRODUCT
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"sys\.executable|multiprocessing|ProcessPoolExecutor", path.read_text(encoding="utf-8"))
    }
    assert naming == {"driftline/own_process.py", "driftline/cli/output.py"}


@pytest.mark.parametrize(
    ("first_entry", "inherited", "expected"),
    [
        ("/opt/driftline/bin", None, {}),
        (own_packages.ROOT, None, {"PYTHONPATH": own_packages.ROOT}),
        (own_packages.ROOT, "/a:/b", {"PYTHONPATH": f"{own_packages.ROOT}:/a:/b"}),
    ],
)
def test_found_in_the_working_folder_children_find_it_too(
    monkeypatch: pytest.MonkeyPatch, first_entry: str, inherited: str | None, expected: dict[str, str]
) -> None:
    """`python -m driftline up` in a clone that is not installed: with -P alone its children would not find it."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if inherited is not None:
        monkeypatch.setenv("PYTHONPATH", inherited)
    monkeypatch.setattr(sys, "path", [first_entry, *sys.path])
    assert own_process_environment() == expected


def test_a_clone_that_is_not_installed_starts_itself(tmp_path: Path) -> None:
    """The child's `driftline` is the parent's, not the one that the environment has installed."""
    for package in PRODUCT:
        (tmp_path / package).symlink_to(ROOT / package)
    (tmp_path / "driftline").unlink()
    (tmp_path / "driftline").mkdir()
    for name in ("__init__.py", "own_packages.py", "own_process.py"):
        (tmp_path / "driftline" / name).write_text((ROOT / "driftline" / name).read_text())
    (tmp_path / "driftline" / "__main__.py").write_text(
        "import os, subprocess, sys\n"
        "from driftline.own_process import own_process, own_process_environment\n"
        "print(__file__, flush=True)\n"
        "if len(sys.argv) == 1:\n"
        "    subprocess.run(own_process('child'), env={**os.environ, **own_process_environment()}, check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "driftline"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(tmp_path / "driftline" / "__main__.py")] * 2


def test_every_package_that_is_shipped_is_looked_at() -> None:
    """The front door knows each top-level package of the wheel, and the word that each begins with."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert {pattern.removesuffix("*") for pattern in settings["include"]} == set(PRODUCT)
    for package in own_packages.PACKAGES:
        assert (ROOT / package / "__init__.py").read_bytes().startswith(own_packages.FIRST_WORD), package


def test_the_front_door_imports_nothing_before_it_looked() -> None:
    """Neither our packages nor a library: what is not looked at yet may be somebody else's."""
    code = (
        "import sys; before = set(sys.modules); import driftline.cli; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["driftline"]


def test_its_exit_code_is_the_documented_one() -> None:
    """A package that is somebody else's ends like any wrong setting."""
    assert cli._WRONG_USE == ExitCode.WRONG_USE

"""The built wheel, run where other people's files have our packages' names: it works, or says whose was found."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.cli.exit_codes import ExitCode
from tests.services.processes import die_with_parent, last_lines

ROOT = Path(__file__).parents[2]
INTERNAL = ("monitor", "consumers", "alerting", "migrations")
PACKAGES = ("driftline", *INTERNAL)
THEIRS = 'raise RuntimeError("code of others ran")\n'
NO_DATABASE = "postgresql://someone@127.0.0.1:1/nothing"
INIT = ("init", "--reference", "may.csv", "--model", "fraud", "--score", "score", "--timestamp", "at", "--id", "id")
BACKTEST = ("backtest", "fraud.yaml", "--data", "may.csv", "--no-textbook")
COMMANDS = (
    ("--version",), ("--help",), ("up", "--help"), ("schema",), INIT, ("plan", "fraud.yaml"), ("migrate",), ("status",),
)  # fmt: skip


def as_file(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(THEIRS)


def as_package(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(THEIRS)


def as_empty_folder(folder: Path, name: str) -> None:
    (folder / name).mkdir()


Shape = Callable[[Path, str], None]
Outcome = tuple[tuple[str, ...], int, str, str]
SHAPES = (as_file, as_package, as_empty_folder)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel of this tree; what the wheel depends on comes from the tests' own."""
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "environment"))
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run(build, cwd=wheels, check=True, timeout=120)
    venv.create(target, symlinks=True)
    (wheel,) = wheels.glob("*.whl")
    install = [*pip, "--python", str(target / "bin/python"), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, cwd=wheels, check=True, timeout=120)
    own = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages(target) / "dependencies.pth").write_text("\n".join(sorted(own)) + "\n")
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a table of predictions."""
    (tmp_path / "work").mkdir()
    write_table(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture(scope="module")
def undisturbed(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What the commands do in a folder that holds the table and nothing else."""
    folder = tmp_path_factory.mktemp("plain")
    write_table(folder)
    return outcomes(environment, folder)


def write_table(folder: Path) -> None:
    rows = [f"2026-05-01T{n // 60:02}:{n % 60:02}:00Z,{n},{n % 17},{(n * 7 % 100) / 100}" for n in range(1440)]
    (folder / "may.csv").write_text("\n".join(["at,id,income,score", *rows]) + "\n")


def site_packages(environment: Path) -> Path:
    (path,) = environment.glob("lib/python3*/site-packages")
    return path


def variables(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFTLINE_", "PYTHON"))}
    return {**kept, "DRIFTLINE_DATABASE_URL": NO_DATABASE, "TERM": "dumb", "COLUMNS": "120", **more}


def run(*command: str | Path, folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=variables(**more), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def outcomes(environment: Path, folder: Path) -> list[Outcome]:
    """Return of each command its exit code and what it printed."""
    done = [run(environment / "bin/driftline", *arguments, folder=folder) for arguments in COMMANDS]
    return [(words, run.returncode, run.stdout, run.stderr) for words, run in zip(COMMANDS, done, strict=True)]


def test_in_a_folder_of_its_own_the_wheel_works(undisturbed: list[Outcome]) -> None:
    """The measure of the next tests: everything succeeds but what needs the database, which is away."""
    assert [code for _, code, _, _ in undisturbed] == [0, 0, 0, 0, 0, 0, 3, 3], undisturbed


@pytest.mark.parametrize("shape", SHAPES)
def test_a_command_works_as_in_a_folder_of_its_own(
    environment: Path, folder: Path, undisturbed: list[Outcome], shape: Shape
) -> None:
    """Exit codes and every word are the same, whatever the working folder holds under our names."""
    for name in PACKAGES:
        shape(folder, name)
    assert outcomes(environment, folder) == undisturbed


@pytest.mark.parametrize("shape", SHAPES)
def test_the_roles_under_up_are_ours(environment: Path, folder: Path, shape: Shape) -> None:
    """`driftline up` from such a folder: each of its children gets as far as waiting for Postgres."""
    for name in PACKAGES:
        shape(folder, name)
    log = folder / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [environment / "bin/driftline", "up"], cwd=folder, env=variables(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one system call
        )  # fmt: skip
    try:
        limit, waiting = time.monotonic() + 90, set[str]()
        while waiting != {"ingest", "alerter", "maintain"}:
            assert time.monotonic() < limit, last_lines(log)
            assert "role.ended" not in log.read_text(), last_lines(log)
            waiting = {line.split()[0] for line in log.read_text().splitlines() if "service.lost" in line}
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0
    assert "code of others ran" not in log.read_text()


@pytest.mark.parametrize("shape", [as_file, as_package])
@pytest.mark.parametrize("name", INTERNAL)
def test_python_that_imports_from_the_working_folder_is_refused_with_a_remedy(
    environment: Path, folder: Path, name: str, shape: Shape
) -> None:
    """`python -m driftline`: one sentence, exit code 2, none of their code runs; with -P it works."""
    shape(folder, name)
    (theirs,) = folder.glob(f"{name}*")
    done = run(environment / "bin/python", "-m", "driftline", "schema", folder=folder)
    assert (done.returncode, done.stdout) == (ExitCode.WRONG_USE, "")
    assert done.stderr == (
        f"package `{name}`: expected Driftline's own in {site_packages(environment) / name}, "
        f"found another in {theirs}; "
        "start Driftline as `driftline` or `python -P -m driftline`, which import nothing from the working folder\n"
    )
    done = run(environment / "bin/python", "-P", "-m", "driftline", "schema", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_folder_does_not_disturb_the_wheel(environment: Path, folder: Path) -> None:
    """`python -m driftline`: Python prefers a package to a folder without one."""
    for name in PACKAGES:
        as_empty_folder(folder, name)
    done = run(environment / "bin/python", "-m", "driftline", "schema", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("schema",), ("--version",), ("--help",), ("maintain",)])
def test_a_name_in_pythonpath_is_named(
    environment: Path, folder: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The same for every command; the message says which entry has to go."""
    as_package(tmp_path, "alerting")
    done = run(environment / "bin/driftline", *arguments, folder=folder, PYTHONPATH=f"/nowhere:{tmp_path}")
    assert (done.returncode, done.stdout) == (ExitCode.WRONG_USE, "")
    assert done.stderr == (
        f"package `alerting`: expected Driftline's own in {site_packages(environment) / 'alerting'}, "
        f"found another in {tmp_path / 'alerting'}; take {tmp_path} out of PYTHONPATH\n"
    )


def test_an_empty_entry_of_pythonpath_is_the_working_folder(environment: Path, folder: Path) -> None:
    """`PYTHONPATH=$UNSET:/somewhere` imports from wherever one stands, which no one who wrote it had in mind."""
    as_file(folder, "consumers")
    done = run(environment / "bin/driftline", "schema", folder=folder, PYTHONPATH=":/nowhere")
    assert done.returncode == ExitCode.WRONG_USE
    assert done.stderr.endswith(f"take {folder} (an empty entry is the working folder) out of PYTHONPATH\n")


def test_another_distribution_before_ours_is_named(environment: Path, folder: Path, tmp_path: Path) -> None:
    """One that a .pth file of the environment puts in front: Driftline needs an environment of its own."""
    as_package(tmp_path, "monitor")
    in_front = site_packages(environment) / "in_front.pth"
    in_front.write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n")
    try:
        done = run(environment / "bin/driftline", "schema", folder=folder)
    finally:
        in_front.unlink()
    assert done.returncode == ExitCode.WRONG_USE
    assert f"found another in {tmp_path / 'monitor'}; install Driftline into an environment of its own" in done.stderr


@pytest.mark.parametrize("theirs", [THEIRS, '"""Monitors things."""\n', None])
def test_another_distribution_over_ours_is_named(environment: Path, folder: Path, theirs: str | None) -> None:
    """One that was installed into the same place replaced our file, or took it along when it was uninstalled."""
    file = site_packages(environment) / "monitor" / "__init__.py"
    ours = file.read_bytes()
    file.unlink() if theirs is None else file.write_text(theirs)
    try:
        done = run(environment / "bin/driftline", "schema", folder=folder)
    finally:
        file.write_bytes(ours)
    assert done.returncode == ExitCode.WRONG_USE
    assert done.stderr == (
        f"package `monitor`: expected Driftline's own in {file.parent}, found files of another there; "
        "install Driftline into an environment of its own (`uv tool install driftline` or `pipx install driftline`)\n"
    )


def test_a_backtest_runs_among_such_names(environment: Path, folder: Path) -> None:
    """With its own Postgres, migrations included."""
    for name in PACKAGES:
        as_file(folder, name)
    assert run(environment / "bin/driftline", *INIT, folder=folder).returncode == 0
    done = run(environment / "bin/driftline", *BACKTEST, folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "fraud.backtest.json").exists()

"""pyproject.toml and its locks: reasons, hashes, no address, nothing left out."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PYPROJECT)
DIRECT = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
LOCKS = ("requirements.lock", "requirements-run.lock")
PEERS = ROOT / "benchmarks" / "detection" / "peers.in"
PEERS_LOCK = "benchmarks/detection/peers.lock"


def locked_versions(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package in *lock*; one for each marker."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def package(requirement: str) -> str:
    """Return the name in *requirement* as locks spell it."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return match.group().lower().replace("_", "-")


@pytest.mark.parametrize("requirement", DIRECT)
def test_a_direct_dependency_has_a_reason(requirement: str) -> None:
    """Each line ends with a comment that says what the package is for."""
    line = next(line for line in PYPROJECT.splitlines() if f'"{requirement}",' in line)
    assert re.search(r"# \S.{10,}", line)


@pytest.mark.parametrize("line", [name for name in PEERS.read_text().splitlines() if not name.startswith("#")])
def test_a_peer_has_a_reason(line: str) -> None:
    """Each line of the benchmark's peers says what it is for, and its lock holds it."""
    assert re.search(r"  # \S.{5,}", line)
    assert package(line) in locked_versions(PEERS_LOCK)


@pytest.mark.parametrize("lock", [*LOCKS, PEERS_LOCK])
def test_a_lock_names_hashes_and_no_address(lock: str) -> None:
    """Each locked package has at least one hash; no line names an index, a link or a file."""
    text = (ROOT / lock).read_text()
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host| @ ", text)


def test_the_locks_agree_and_hold_every_direct_dependency() -> None:
    """What runs is a part of the whole, at the same versions; nothing of pyproject is missing."""
    whole, runtime = map(locked_versions, LOCKS)
    assert runtime.items() <= whole.items()
    assert {package(dependency) for dependency in DIRECT} <= whole.keys()
    assert {package(dependency) for dependency in PROJECT["project"]["dependencies"]} <= runtime.keys()
    assert "pytest" not in runtime

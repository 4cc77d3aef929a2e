"""Refuses to start where Python would import somebody else's `monitor` instead of ours; imports none of them."""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # where this very `driftline` lies
PACKAGES = ("monitor", "consumers", "alerting", "migrations")
FIRST_WORD = b'"""Driftline:'  # each `__init__.py` of ours begins with it, so that one written over it is noticed


class ForeignPackageError(ImportError):
    """A top-level package of ours resolves to somebody else's; says which, where, and what to do."""


def require_own_packages() -> None:
    """Return when each of PACKAGES resolves to the one next to this `driftline`. Nothing of them is run.

    Raises:
        ForeignPackageError: One resolves to something else, to a damaged one, or to nothing.
    """
    for name in PACKAGES:
        spec = find_spec(name)
        expected = os.path.join(ROOT, name)
        place = _place(spec)
        if place is None:
            problem = f"found none; {_OWN_ENVIRONMENT}"
        elif not _same(place, expected):
            problem = f"found another in {place}; {_remedy(os.path.dirname(place))}"
        elif not _begins_as_ours(os.path.join(expected, "__init__.py")):
            problem = f"found files of another there; {_OWN_ENVIRONMENT}"
        else:
            continue
        raise ForeignPackageError(f"package `{name}`: expected Driftline's own in {expected}, {problem}")


_OWN_ENVIRONMENT = (
    "install Driftline into an environment of its own (`uv tool install driftline` or `pipx install driftline`)"
)


def _place(spec: ModuleSpec | None) -> str | None:
    """Return the folder of a package, also of one without `__init__.py`, or the file of a module."""
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return spec.origin
    return next(iter(spec.submodule_search_locations), None)


def _same(place: str, expected: str) -> bool:
    # two entries of sys.path may be one folder: lib64 is a link to lib
    return place == expected or os.path.realpath(place) == os.path.realpath(expected)


def _begins_as_ours(file: str) -> bool:
    try:
        with open(file, "rb") as text:
            return text.read(len(FIRST_WORD)) == FIRST_WORD
    except FileNotFoundError:
        return False


def _remedy(folder: str) -> str:
    """Return what takes *folder* out of the places where Python looks before ours."""
    listed = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    for entry in listed.split(os.pathsep) if listed else ():
        if _same(os.path.abspath(entry), folder):
            return f"take {entry or f'{folder} (an empty entry is the working folder)'} out of PYTHONPATH"
    if _same(os.getcwd(), folder):
        return (
            "start Driftline as `driftline` or `python -P -m driftline`, which import nothing from the working folder"
        )
    return _OWN_ENVIRONMENT

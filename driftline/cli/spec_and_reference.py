"""Reads a spec file together with the reference profile that it names, for the commands that need both."""

from pathlib import Path

from monitor.errors import SpecError
from monitor.reference.checks import disagreements
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.model import ModelSpec


def read_spec_text(path: Path) -> str:
    """Return the text of the spec file at *path*.

    Raises:
        SpecError: The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        problem = f"expected a YAML file in UTF-8, found: {found}; `driftline init` writes one"
        raise SpecError(str(path), (problem,)) from error


def read_reference(path: Path, spec: ModelSpec) -> ReferenceProfile:
    """Return the profile that *spec*, the file at *path*, names relative to itself.

    Raises:
        SpecError: It cannot be read, is no profile, or does not agree with the spec; every problem is named.
    """
    place = path.parent / spec.reference
    try:
        encoded = place.read_bytes()
    except OSError as error:
        problem = f"reference: expected a profile at {place}, found: {error.strerror}; `driftline init` writes one"
        raise SpecError(str(path), (problem,)) from error
    profile = decode_profile(encoded, source=str(place))
    if problems := disagreements(spec, profile):
        raise SpecError(str(path), problems)
    return profile

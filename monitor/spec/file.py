"""Reads a spec file and names every problem at once."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from monitor.errors import SpecError
from monitor.redaction import shown_web_address
from monitor.spec.model import ModelSpec


def parse_spec(text: str, *, source: str) -> ModelSpec:
    """Return the spec in *text* (YAML).

    Raises:
        SpecError: Not YAML, or not a valid spec; lists every problem as ``key: expected …, found …``.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(source, (f"expected YAML, found: {_yaml_problem(error)}",)) from error
    if not isinstance(document, dict):
        raise SpecError(source, (f"expected a mapping of keys, found {type(document).__name__}",))
    return spec_of(document, source=source)


def spec_of(document: dict[str, object], *, source: str) -> ModelSpec:
    """Return the spec that *document* holds by the keys of its YAML.

    Raises:
        SpecError: Not a valid spec; lists every problem as ``key: expected …, found …``.
    """
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        errors = error.errors()
        # A list whose only item is wrong is also called too short, about a list that the user never wrote.
        own = [detail for detail in errors if detail["type"] != "too_short" or len(errors) == 1]
        problems = tuple(_problem(detail["loc"], detail["msg"], detail["input"]) for detail in own)
        raise SpecError(source, problems) from error


_SECRETS = frozenset({"secret", "secret_env"})


def _shown(location: tuple[int | str, ...], value: object) -> str:
    """Return *value* as a message shows it; of an address its host only: the rest is the receiver's secret."""
    return shown_web_address(str(value)) if location[-1:] == ("url",) else repr(value)


def read_spec(path: Path) -> ModelSpec:
    """Return the spec in the file at *path*.

    Raises:
        SpecError: The file cannot be read, or as `parse_spec`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(str(path), (f"cannot be read: {error.strerror}",)) from error
    return parse_spec(text, source=str(path))


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Return what is wrong and where; not the line itself, which may hold a receiver's address."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    return f"{said} (line {mark.line + 1}, column {mark.column + 1})" if mark else said


def _problem(location: tuple[int | str, ...], message: str, value: object) -> str:
    key = (
        "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "(top level)"
    )
    text = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown key")
    # under an unknown key a text may be any secret, and where a secret's place belongs it often is one
    unknown = text == "unknown key" and not isinstance(value, int | float)
    silent = isinstance(value, dict) or "found" in text or unknown or not _SECRETS.isdisjoint(location)
    shown = "" if silent else f", found {_shown(location, value)}"[:120]
    return f"{key}: {text[:1].lower() + text[1:]}{shown}"

"""A spec as commented YAML: every key of `ModelSpec` with its value and its field's own description."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from textwrap import wrap
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.spec.model import ModelSpec

COMMENT_COLUMN, WIDTH = 48, 120
Remarks = Mapping[tuple[str, ...], str]


def spec_template(spec: ModelSpec, *, remarks: Remarks = MappingProxyType({}), schema: str | None = None) -> str:
    """Return *spec* as YAML that `parse_spec` reads back to an equal one.

    Args:
        remarks: Further comments by path, as ``("columns", "age")``.
        schema: Path of the spec's JSON Schema for editors, relative to the spec; None leaves the line out.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines.append("# What Driftline watches of one model. Check and store it with `driftline apply`.")
    return "\n".join([*lines, *_mapping(spec, (), remarks)]) + "\n"


def description_of(field: FieldInfo) -> str:
    """Return what a field is for, as its comment says it: its description, with the choices that it does not name."""
    text = field.description or (_model(field.annotation).__doc__ or "").partition("\n")[0]
    choices = [str(choice) for choice in _choices(field.annotation)]
    if all(re.search(rf"\b{choice}\b", text) for choice in choices):
        return text
    return f"{text.removesuffix('.')}: {' | '.join(choices)}."


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar on one line, plain where YAML reads it back as this text."""
    try:
        plain = text.replace("_", "").replace("-", "").isalnum() and yaml.safe_load(text) == text
    except yaml.YAMLError:
        plain = False
    if plain:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1 << 30).strip()


def _mapping(model: BaseModel, path: tuple[str, ...], remarks: Remarks) -> Iterator[str]:
    plain, after_section = model.model_dump(mode="json"), True
    for name, field in type(model).model_fields.items():
        here, value = (*path, name), getattr(model, name)
        comment = " ".join(filter(None, (description_of(field), remarks.get(here))))
        is_section = isinstance(value, BaseModel) or _is_list_of_models(field)
        if not path and (is_section or after_section) and name != "model":
            yield ""
        if isinstance(value, BaseModel):
            yield from _commented(f"{name}:", comment, len(path))
            yield from _mapping(value, here, remarks)
        elif is_section:
            yield from _items(here, field, value, comment, remarks)
        else:
            yield from _commented(f"{name}: {_flow(plain[name])}", comment, len(path))
        after_section = is_section


def _items(
    path: tuple[str, ...], field: FieldInfo, value: Mapping[str, BaseModel] | tuple[BaseModel, ...], comment: str,
    remarks: Remarks,
) -> Iterator[str]:  # fmt: skip
    """Yield a field that holds models of one kind, each on a line; the comment above explains their keys."""
    name, indent = path[-1], len(path) - 1
    yield from _comment(comment, indent)
    for key, described in _model(field.annotation).model_fields.items():
        yield from _comment(f"{key}: {description_of(described)}", indent, hanging=True)
    for example in field.examples or ():
        yield from _comment(f"Example: - {_flow(example)}", indent)
    start = "  " * indent + name
    if not value:
        yield f"{start}: {'{}' if isinstance(value, Mapping) else '[]'}"
        return
    yield f"{start}:"
    items = value.items() if isinstance(value, Mapping) else (("", item) for item in value)
    for key, item in items:
        flow = _flow(item.model_dump(mode="json", exclude_defaults=True))
        text = f"{quoted(key)}: {flow}" if isinstance(value, Mapping) else f"- {flow}"
        yield from _commented(text, remarks.get((*path, key), ""), indent + 1)


def _commented(text: str, comment: str, indent: int) -> Iterator[str]:
    """Yield *text* with its comment: on its line where that fits, else above."""
    start = "  " * indent + text
    line = f"{start:<{COMMENT_COLUMN - 1}} # {comment}" if comment else start
    if len(line) > WIDTH and comment:
        yield from _comment(comment, indent)
        line = start
    yield line


def _comment(text: str, indent: int, *, hanging: bool = False) -> list[str]:
    start = "  " * indent + "# "
    first, rest = (start + "  ", start + "    ") if hanging else (start, start)
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False)


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return yaml.safe_dump(value).removesuffix("...\n").strip()


def _is_list_of_models(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (tuple, dict) and _model(field.annotation) is not BaseModel


def _model(annotation: Any) -> type[BaseModel]:
    """Return the model that an annotation names, itself or inside; `BaseModel` where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model(part)) is not BaseModel), BaseModel)


def _choices(annotation: Any) -> tuple[object, ...]:
    """Return the values of a closed list, itself or inside; none where anything fits."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(annotation)
    if isinstance(annotation, type) or get_origin(annotation) is dict:
        return ()
    return tuple(choice for part in get_args(annotation) for choice in _choices(part))

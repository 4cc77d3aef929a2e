"""The commented YAML of a spec: nothing left out, nothing said twice, read back to the same spec."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.spec.actions import AlertingSpec
from monitor.spec.file import parse_spec
from monitor.spec.model import DriftSpec, FurtherStatistic, ModelSpec, WindowSpec
from monitor.spec.template import WIDTH, description_of, quoted, spec_template

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
SPEC = {
    "model": "fraud",
    "task": "binary_classification",
    "reference": "fraud.reference",
    "columns": {"amount": {"kind": "numeric"}},
    "prediction": {"score": True},
}


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Every key that the model's YAML may have, at any depth."""
    yield from model.model_fields.items()
    for part in (part for field in model.model_fields.values() for part in _parts(field.annotation)):
        yield from _fields(part)


def _parts(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _parts(argument)


def test_every_key_is_there_with_its_description() -> None:
    """Each field of `ModelSpec` and of its parts has a description; key and description are in the text."""
    text = spec_template(ModelSpec.model_validate(SPEC))
    prose = " ".join(re.sub(r"^ *(.*?)# *", "", line) if "#" in line else "" for line in text.splitlines())
    prose = re.sub(r"\s+", " ", prose)
    fields = list(_fields(ModelSpec))
    assert len(fields) > 60
    for name, field in fields:
        described = description_of(field)
        assert described.endswith("."), name
        assert described in prose, name
        assert re.search(rf"^\W*{name}:", text, flags=re.M), name


def test_a_spec_of_defaults_comes_back() -> None:
    """What the text says is what leaving it all out means; no line is longer than an editor shows."""
    spec = ModelSpec.model_validate(SPEC)
    text = spec_template(spec)
    assert parse_spec(text, source="test") == spec
    assert max(map(len, text.splitlines())) <= WIDTH


@given(
    names=st.lists(NAMES, max_size=4, unique=True),
    alpha=st.floats(1e-12, 0.4),
    days=st.integers(1, 400),
    statistics=st.sets(st.sampled_from(FurtherStatistic)),
    text=NAMES,
    drop=st.one_of(
        st.none(),
        st.floats(0, 1).map(DropSpec.of_warning),
        st.builds(DropSpec, warning=st.none() | st.just(0.01), alert=st.none() | st.just(0.02), critical=st.none()),
    ),
)
def test_any_spec_comes_back(
    names: list[str], alpha: float, days: int, statistics: set[FurtherStatistic], text: str, drop: DropSpec | None
) -> None:
    """Whatever a user can name or set is read back as it was."""
    spec = ModelSpec.model_validate(
        {
            **SPEC,
            "model": text,
            "columns": {name: {"kind": "categorical", "importance": 0.25, "monitor": False} for name in names},
            "drift": DriftSpec(alpha=alpha, statistics=tuple(sorted(statistics))),
            "accuracy": AccuracySpec(drop=drop),
            "alerting": AlertingSpec(owner=text, freshness=timedelta(days=days)),
            "segments": [{"tag": text, "values": names}] if names else [],
            "windows": WindowSpec(min_events=days + 1),
        }
    )
    assert parse_spec(spec_template(spec, remarks={("columns", text): "a remark"}), source="test") == spec


@pytest.mark.parametrize(
    "name", ["no", "1", "a: b", "#x", "ü 😀", "true", "", "- a", "{a}", "a'b\"c", "null", "x" * 150]
)
def test_any_name_survives_yaml(name: str) -> None:
    """Names that YAML would take for something else are quoted."""
    assert yaml.safe_load(f"key: {quoted(name)}  # comment") == {"key": name}
    assert yaml.safe_load(f"{quoted(name)}: 1") == {name: 1}
    assert yaml.safe_load(f"[{{{quoted(name)}: {quoted(name)}}}]") == [{name: name}]

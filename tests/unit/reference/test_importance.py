"""Importance: how it is given, what is refused, and that it replaces the spec's."""

from pathlib import Path

import msgspec
import pytest

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import read_importance
from monitor.detection import prepare_reference
from monitor.errors import SpecError
from monitor.spec.file import parse_spec
from tests.models.credit import profile, spec_text

FEATURES = ("age", "amount", "a=b")


def test_shares_stay_and_gains_are_divided() -> None:
    """What adds up to at most 1 is shares already; more is a scale of its own."""
    assert read_importance(["age=0.3", "amount=0.2"], features=FEATURES) == {"age": 0.3, "amount": 0.2}
    assert read_importance(["age=30", "amount=10"], features=FEATURES) == {"age": 0.75, "amount": 0.25}
    assert read_importance(["a=b=0.5"], features=FEATURES) == {"a=b": 0.5}
    assert read_importance(None, features=FEATURES) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("i.json", '{"age": 0.3, "amount": 0.2}'),
        ("i.json", '[{"column": "age", "importance": 0.3}, {"column": "amount", "importance": 0.2}]'),
        ("i.csv", "column,importance\nage,0.3\namount,0.2\n"),
    ],
)
def test_files_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    """JSON in two shapes and CSV; an option after the file wins over it."""
    (tmp_path / name).write_text(text)
    assert read_importance([str(tmp_path / name)], features=FEATURES) == {"age": 0.3, "amount": 0.2}
    assert read_importance([str(tmp_path / name), "age=0.1"], features=FEATURES)["age"] == 0.1


def test_entries_that_cannot_be_used_are_named_at_once() -> None:
    """An unknown column and a negative number are two lines."""
    with pytest.raises(SpecError) as caught:
        read_importance(["agee=0.3", "amount=-1"], features=FEATURES)
    assert caught.value.problems == (
        "importance of 'agee': expected one of the features age, amount, a=b; found none of that name",
        "importance of 'amount': expected a number of 0 or more, found -1",
    )


@pytest.mark.parametrize(
    ("given", "text", "problem"),
    [
        ("age=much", None, "--importance age=much: expected a number, found 'much'"),
        ("missing.csv", None, "expected COLUMN=NUMBER or a JSON or CSV file, found: No such file"),
        ("i.json", "{", "expected JSON, found"),
        ("i.json", '["age"]', "expected {"),
        ("i.json", '{"age": null}', "i.json: age: expected a number, found None"),
        ("i.csv", "age,0.3\n", "expected the header column,importance"),
    ],
)
def test_what_is_no_importance_says_what_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, text: str | None, problem: str
) -> None:
    """Each refusal names the option or file, what was expected and what was found."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(given).write_text(text)
    with pytest.raises(WrongUseError) as caught:
        read_importance([given], features=FEATURES)
    assert problem in str(caught.value)


def test_the_references_importance_stands_in_for_the_specs() -> None:
    """Where the spec says one it wins; where it says none the reference's counts."""
    columns = {"amount": {"kind": "numeric", "importance": 0.6}, "age": {"kind": "numeric"}}
    spec = parse_spec(spec_text(columns={**columns, "country": {"kind": "categorical"}}), source="test")
    reference = msgspec.structs.replace(profile(), importance={"amount": 0.1, "age": 0.2})
    assert prepare_reference(spec, reference).importance == (0.6, 0.2, None, None, None)

"""Spec files: every problem at once, and the committed JSON Schema."""

import json
from pathlib import Path

import pytest

from driftline.cli.setup import schema_text
from monitor.errors import SpecError
from monitor.spec.file import parse_spec, read_spec
from monitor.spec.model import ModelSpec

VALID = """
model: fraud
task: binary_classification
reference: fraud.reference
columns:
  amount: {kind: numeric}
prediction: {score: true}
"""


def _problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, source="fraud.yaml")
    assert str(caught.value).startswith("fraud.yaml: ")
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_a_short_spec_has_the_published_defaults() -> None:
    """Only what has no default must be written; scales are the six of the architecture."""
    spec = parse_spec(VALID, source="fraud.yaml")
    assert [(scale.length, scale.step) for scale in spec.scales] == [
        (10, 1),
        (30, 3),
        (60, 5),
        (240, 20),
        (1440, 120),
        (10080, 720),
    ]
    assert (spec.namespace, spec.drift.alpha, spec.sample_rate) == ("default", 0.001, 1.0)


def test_every_problem_is_named_at_once_with_key_expected_and_found() -> None:
    """Eight faults in one file are eight lines, each with its key, what was expected and what was found."""
    text = """
model: fraud
task: ranking
reference: fraud.reference
columns:
  amount: {kind: number}
  age: {kind: numeric, weight: 2}
prediction: {score: true}
sample_rate: 1.5
windows:
  scales:
    - {length: 10m, step: 3m}
    - {length: 1h, step: 5m}
  min_events: lots
drift:
  tiers: {warning: 0.3, alert: 0.2}
truth: {horizon: a month}
"""
    problems = _problems(text)
    expected = {
        "task": ("'binary_classification', 'multiclass_classification' or 'regression'", "found 'ranking'"),
        "columns.amount.kind": ("'numeric' or 'categorical'", "found 'number'"),
        "columns.age.weight": ("unknown key", "found 2"),
        "sample_rate": ("less than or equal to 1", "found 1.5"),
        "windows.scales[0]": ("whole minutes that divide half the length", "found 180 s"),
        "windows.min_events": ("valid integer", "found 'lots'"),
        "drift.tiers": ("expected warning < alert < critical", "found 0.3, 0.2, 0.3"),
        "truth.horizon": ("expected a duration like 90s, 10m, 24h or 7d", "found 'a month'"),
    }
    result = dict(problem.split(": ", 1) for problem in problems)
    assert len(problems) == len(expected)
    for key, parts in expected.items():
        assert all(part in result[key] for part in parts), result[key]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("task: regression", "task regression needs prediction.value: true"),
        ("actions: {rollback: {mode: auto, url: 'http://x', secret_env: S}}", "needs alerting.owner"),
        ("actions: {retraining: {mode: auto}}", "actions.retraining: mode auto needs url, and secret or secret_env"),
        ("alerting: {receivers: [{name: a, type: log}, {name: a, type: log}]}", "expected distinct names"),
        ("alerting: {receivers: [{name: a, type: webhook}]}", "a webhook receiver needs url, and secret or secret_env"),
        ("prediction: {threshold: 0.4}", "prediction: expected at least one of score, label, value to be true"),
        ("segments: [{tag: region, values: []}]", "segments[0].values: "),
    ],
)
def test_what_does_not_fit_together_is_refused(change: str, problem: str) -> None:
    """Keys that are valid alone and not together are named with what is missing."""
    key = change.partition(":")[0]
    kept = "".join(line + "\n" for line in VALID.splitlines() if not line.startswith(f"{key}:"))
    (reported,) = _problems(kept + change + "\n")
    assert problem in reported


def test_all_that_an_action_needs_is_named_at_once() -> None:
    """Endpoint, owner and runbook of an action that is sent: one round of mending, not two."""
    actions = "actions: {retraining: {mode: approve}, rollback: {mode: approve, url: 'http://x'}}\n"
    assert _problems(VALID + actions) == (
        "actions.retraining: mode approve needs url, and secret or secret_env",
        "actions.rollback: mode approve needs url, and secret or secret_env",
        "(top level): actions.rollback.mode approve needs alerting.owner and alerting.runbook",
    )


def test_what_is_no_mapping_is_refused() -> None:
    """Broken YAML, a list, nothing at all: each says that keys were expected."""
    assert "expected YAML, found: " in _problems("model: [")[0]
    assert _problems("- a\n- b\n") == ("expected a mapping of keys, found list",)
    assert _problems("") == ("expected a mapping of keys, found NoneType",)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The error is the user's, with the path, not a traceback."""
    with pytest.raises(SpecError, match=r"absent\.yaml: 1 problem\n  - cannot be read: No such file"):
        read_spec(tmp_path / "absent.yaml")


def test_the_published_schema_is_the_specs() -> None:
    """docs/spec.schema.json is what `driftline schema` prints, byte for byte."""
    published = Path(__file__).parents[2] / "docs" / "spec.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text()
    assert set(json.loads(schema_text())["properties"]) == set(ModelSpec.model_fields)


@pytest.mark.parametrize(
    "lines",
    [
        "alerting: {receivers: [{name: team, type: webhook, ulr: https://chat.example/hunter2, secret_env: S}]}",
        "alerting: {receivers: [{name: team, type: webhook, url: [https://chat.example/hunter2], secret_env: S}]}",
        "alerting: {receivers: [{name: team, type: webhook, url: https://h, secret_env: [whsec_hunter2]}]}",
        "secret: hunter2",
        "alerting: {receivers: [{name: team, type: slack, secret: https://hooks.slack.com/hunter2}]}",
        "alerting: {receivers: [{name: team, type: slack, secret: {env: https://hooks.slack.com/hunter2}}]}",
        "alerting: {receivers: [{name: team, type: webhook, url: https://h, secret_env: whsec_hunter2}]}",
        "alerting: {receivers: [{name: team, type: slack, secret: {token: hunter2}}]}",
        "alerting: {receivers: [{url: https://chat.example/hunter2 : }]}",
    ],
)
def test_a_message_about_a_spec_shows_no_address_or_secret(lines: str) -> None:
    """Of a chat's webhook the path is the secret; a misspelt key may hold anything."""
    with pytest.raises(SpecError) as caught:
        parse_spec(lines, source="credit.yaml")
    assert "hunter2" not in str(caught.value)

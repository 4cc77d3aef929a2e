"""The alert rules that are shipped: each fires in its case and in no other, by Prometheus' own promtool."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from monitor import metrics
from tests.services.promtool import RuleCase, check, run_cases

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "driftline.rules.yml"
WATCHDOG = {"alertname": "Watchdog", "severity": "none"}


def series(name: str, instance: str = "a", **labels: str) -> str:
    """Return how promtool writes a series of the job."""
    pairs = ",".join(
        f'{label}="{value}"' for label, value in {"job": "driftline", "instance": instance, **labels}.items()
    )
    return f"{name}{{{pairs}}}"


UP = series("up")
HEALTHY = series("driftline_healthy")
DATABASE_UP = series("driftline_database_up")
OTHER_DATABASE_UP = series("driftline_database_up", "c")
TURN = series("driftline_model_turn_timestamp_seconds", model="credit")
OTHER_TURN = series("driftline_model_turn_timestamp_seconds", "c", model="credit")
FAILURES = series("driftline_model_turn_failures_total", model="credit")
WATERMARK_AGE = series("driftline_watermark_age_seconds")
PAUSED = series("driftline_paused_partitions", "b")
COUNTED = series("driftline_records_total", "b", topic="p", result="counted")
DEAD = series("driftline_records_total", "b", topic="p", result="dead")
OLDEST_ACTION = series("driftline_outbox_oldest_timestamp_seconds", kind="action")
OLDEST_MESSAGE = series("driftline_outbox_oldest_timestamp_seconds", kind="notification")
ENDPOINT = series("driftline_endpoint_up", endpoint="credit/receivers/pager")
DELIVERIES = series("driftline_deliveries_total", kind="action", result="dead")
MESSAGES_LOST = series("driftline_messages_lost_total")
CRITICAL = series("driftline_unacknowledged", tier="critical")
HOLDS = series("driftline_holds")

# An hour of a value a minute; with a little of what is no reason to wake anybody.
WELL = {
    UP: "1x60",
    HEALTHY: "1 1 0 0 0 0 1x54",  # a restart
    DATABASE_UP: "1x60",
    OTHER_DATABASE_UP: "1x30 0x29",  # one alerter alone does not reach it
    TURN: "0+60x60",
    OTHER_TURN: "0+60x60",
    FAILURES: "7x30 8x29",
    WATERMARK_AGE: "90x60",
    PAUSED: "0x60",
    COUNTED: "0+6000x60",
    DEAD: "0+30x60",
    OLDEST_ACTION: "0+60x60",
    OLDEST_MESSAGE: "0+60x60",
    ENDPOINT: "1 1 0 0 0 1x55",
    DELIVERIES: "3x60",
    MESSAGES_LOST: "1x60",
    CRITICAL: "0 1 1 1 0x56",
    HOLDS: "1x60",
}


def case(name: str, changed: dict[str, str], *firing: dict[str, str], at: str = "50m") -> RuleCase:
    return RuleCase(name, {**WELL, **changed}, at, (*firing, WATCHDOG))


def alert(name: str, severity: str = "page", **labels: str) -> dict[str, str]:
    return {"alertname": f"Driftline{name}", "severity": severity, **labels}


OF_JOB = {"job": "driftline", "instance": "a"}
CASES = [
    case("all is well", {}),
    case("a role is dead", {UP: "1x20 0x39"}, alert("Stopped", **OF_JOB)),
    case("a role is unhealthy", {HEALTHY: "1x20 0x39"}, alert("Unhealthy", **OF_JOB)),
    case("no alerter reaches Postgres", {DATABASE_UP: "1x30 0x29"}, alert("DatabaseAway")),
    case(
        "no alerter gets on with a model",
        {TURN: "0+60x20 1200x39", OTHER_TURN: "0+60x10 600x49"},
        alert("ModelNotWatched", model="credit"),
    ),
    case("an evaluation fails", {FAILURES: "7+1x60"}, alert("EvaluationFails", "ticket", model="credit")),
    case("no window closes", {WATERMARK_AGE: "90+60x60"}, alert("EventsDelayed")),
    case("a partition stopped", {PAUSED: "0x30 1x29"}, alert("PartitionStopped", instance="b")),
    case("many records are refused", {DEAD: "0+300x60"}, alert("RecordsRefused", "ticket")),
    case("a request waits", {OLDEST_ACTION: "0+60x30 1800x29"}, alert("RequestWaits", kind="action")),
    case("a message waits", {OLDEST_MESSAGE: "0+60x20 1200x39"}, alert("MessageWaits", kind="notification")),
    case("a receiver is down", {ENDPOINT: "1x20 0x39"}, alert("ReceiverDown", endpoint="credit/receivers/pager")),
    case("a request was lost", {DELIVERIES: "3x45 4x14"}, alert("DeliveryLost", kind="action", result="dead")),
    case("a message was lost", {MESSAGES_LOST: "1x45 2x14"}, alert("MessageLost")),
    case("nobody acknowledges", {CRITICAL: "0x10 2x49"}, alert("CriticalUnacknowledged")),
    case("held for a day", dict.fromkeys((UP, HEALTHY, HOLDS), "1x1500"), alert("ActionsHeld", "ticket"), at="24h30m"),
]


def rules() -> list[dict[str, object]]:
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_each_rule_says_whom_to_wake_what_is_wrong_and_what_to_do() -> None:
    """Severity, summary and action; the watchdog needs none."""
    for rule in rules():
        labels, annotations = rule["labels"], rule["annotations"]
        assert isinstance(labels, dict)
        assert isinstance(annotations, dict)
        assert labels["severity"] in ("page", "ticket", "none")
        assert annotations["summary"]
        assert annotations.get("action") or rule["alert"] == "Watchdog"


def test_each_rule_asks_for_metrics_that_there_are() -> None:
    """A renamed metric would silence its alert."""
    known = {"up"}
    for value in vars(metrics).values():
        if isinstance(value, metrics.CollectedMetric):
            known.add(value.name)
        elif isinstance(value, Counter | Gauge | Histogram):
            known |= {f"{family.name}{'_total' * (family.type == 'counter')}" for family in value.describe()}
    asked = {name for rule in rules() for name in re.findall(r"\b(driftline_\w+|up)\b", str(rule["expr"]))}
    assert asked <= known


def test_each_rule_has_a_case() -> None:
    named = {firing["alertname"] for of_case in CASES for firing in of_case.firing}
    assert {rule["alert"] for rule in rules()} == named


@pytest.mark.usefixtures("promtool")
def test_prometheus_takes_the_rules() -> None:
    check(RULES)


@pytest.mark.usefixtures("promtool")
def test_each_rule_fires_in_its_case_and_in_no_other(tmp_path: Path) -> None:
    """An hour in which all is well, with one thing wrong at a time."""
    run_cases(RULES, CASES, directory=tmp_path)

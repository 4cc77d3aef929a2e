"""The document of a backtest: its numbers, its notes, its names."""

import json
from pathlib import Path

import msgspec
import pytest

from alerting.actions.reasons import REFUSALS, Refusal
from driftline.backtest.outcome import BacktestOutcome, TextbookVerdict
from driftline.backtest.report.build import report_of
from driftline.backtest.report.incidents import explained_action
from driftline.backtest.report.schema import BacktestReport, encode_report
from driftline.backtest.report.wording import headline, subline
from monitor.humanize import duration, duration_words, percent_cell, rate
from monitor.performance.expected_accuracy import PerformanceCounts
from monitor.results import Finding
from monitor.store.accuracy_evaluations import FinalAccuracyEvaluation
from monitor.store.actions import IncidentAction
from monitor.types import ActionKind, ActionState, IncidentKind, InconclusiveReason, Tier, Verdict
from monitor.units import DAY_MINUTES, HOUR_MINUTES
from tests.models.credit import START, profile
from tests.unit.backtest.outcomes import A_DAY, HOUR, ONE_HOUR, finding, incident, outcome, spec, step, window

ROOT = Path(__file__).parents[3]
ALARM = TextbookVerdict(verdict=Verdict.WARNING, columns=("age",))
CALM = TextbookVerdict(verdict=Verdict.OK, columns=())


def lively() -> BacktestOutcome:
    """14 days: a drift incident with two pages and one of accuracy; one of three windows alarms."""
    drift = incident(
        step(24 * HOUR, "opened", Tier.WARNING, findings=[finding("age")]),
        step(25 * HOUR, "escalated", Tier.ALERT, findings=[finding("age", tier=Tier.ALERT)]),
        step(26 * HOUR, "escalated", Tier.CRITICAL, findings=[finding("age", tier=Tier.CRITICAL)]),
        step(48 * HOUR, "resolved", Tier.NONE),
    )
    accuracy = incident(step(300 * HOUR, "opened", Tier.WARNING), kind=IncidentKind.PERFORMANCE)
    textbook = [incident(step(HOUR, "opened", Tier.ALERT))]
    windows = [
        window(24 * HOUR, scale=ONE_HOUR, verdict=Verdict.WARNING, findings=[finding("age")], textbook=ALARM),
        window(48 * HOUR, scale=ONE_HOUR, textbook=ALARM),
        window(72 * HOUR, scale=ONE_HOUR, textbook=CALM),
        window(24 * HOUR, scale=A_DAY, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.FILLING),
    ]
    actions = [
        IncidentAction(
            id="a", incident_id=drift.id, kind=ActionKind.ROLLBACK, state=ActionState.REFUSED,
            reason="input_drift_only", from_version="1", to_version=None, window_end=START + 26 * HOUR,
        ),
        IncidentAction(
            id="a", incident_id=drift.id, kind=ActionKind.RETRAINING, state=ActionState.DRY_RUN, reason="drift_alert",
            from_version="1", to_version=None, window_end=START + 25 * HOUR,
        ),
    ]  # fmt: skip
    return outcome(windows=windows, incidents=[drift, accuracy], textbook=textbook, actions=actions)


def report(replay: BacktestOutcome, **changes: object) -> BacktestReport:
    return report_of(replay, spec=spec(**changes), profile=profile(), source="june.parquet")


def test_rates_are_of_the_whole_history() -> None:
    """Two pages in fourteen days are one a week; accuracy counts in the summary, not in the comparison of rules."""
    result = report(lively())
    assert (result.summary.pages, result.summary.pages_per_week) == (2, 1.0)
    assert (result.summary.warnings, result.summary.warnings_per_week) == (2, 1.0)
    assert (result.summary.incidents, result.summary.follow_ups, result.summary.open_at_end) == (2, 1, 1)
    assert result.summary.open_hours == pytest.approx(24 + (14 * 24 - 300))
    assert result.summary.open_share == pytest.approx(60 / (14 * 24), abs=1e-5)
    own, textbook = result.rules
    assert (own.rule, own.windows, own.alarming, own.runs, own.incidents) == ("default", 3, 1, 1, 1)
    assert (textbook.rule, textbook.windows, textbook.alarming, textbook.runs) == ("textbook", 3, 2, 1)
    assert (textbook.incidents, textbook.pages, textbook.open_hours) == (1, 1, 14 * 24 - 1)


def test_an_incident_is_reported_by_its_worst_step() -> None:
    """Tier, sentence and columns are of the step at which it was worst; times are UTC; closed says when, or null."""
    drift, accuracy = report(lively()).incidents
    assert (drift.tier, drift.opened, drift.closed) == ("critical", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z")
    assert (drift.open_hours, drift.scale, drift.columns, drift.sentence) == (24.0, "10m", ("age",), "`age`: moved.")
    assert [step.page for step in drift.steps] == [False, True, True, False]
    assert (accuracy.closed, accuracy.open_hours) == (None, 36.0)


def test_actions_say_why_not() -> None:
    """In order of time; what would have been sent is `asked`, a refusal is explained in words."""
    asked, refused = report(lively()).actions
    assert (asked.action, asked.outcome, asked.explanation) == ("retraining", "asked", "drift incident at tier alert")
    assert (refused.outcome, refused.reason) == ("refused", "input_drift_only")
    assert "only inputs moved" in refused.explanation


def test_every_refusal_has_words() -> None:
    """The closed list of refusals and their explanations are one list."""
    assert set(REFUSALS) == set(Refusal)
    assert explained_action("data_quality_alert", refused=False) == "data quality incident at tier alert"


def test_notes_say_what_was_not_seen() -> None:
    """A scale that never filled, an uncalibrated reference and repeated rows are noted."""
    notes = report(outcome(windows=lively().windows, duplicates=7)).notes
    assert any(note.startswith("24h: no window could be judged") for note in notes)
    assert any(note.startswith("10m: no window ended") for note in notes)
    assert any(note.startswith("Uncalibrated at 10m, 1h, 24h") for note in notes)
    assert any(note.startswith("7 rows repeat the id") for note in notes)
    assert not any("extrapolated" in note for note in notes)
    assert any("extrapolated from 3.5 days" in note for note in report(outcome(days=3.5)).notes)


def test_history_that_overlaps_its_reference_is_noted() -> None:
    """A reference from the history's own time cannot be surprised by it."""
    own = msgspec.structs.replace(profile(), start=START - HOUR, end=START + 36 * HOUR)
    report = report_of(outcome(), spec=spec(), profile=own, source="x")
    assert any("overlaps this history by 1.5 days" in note for note in report.notes)


def test_nothing_raised_is_good_news_only_of_judged_windows() -> None:
    """The headline says that nothing was raised; the line below, what that rests on."""
    calm = report(outcome(windows=[window(HOUR, scale=ONE_HOUR)], days=21))
    assert headline(calm) == "Nothing would have been raised in 21 days."
    assert subline(calm) == "1 of 1 window could be judged; no window of 10m and 24h."
    blind = report(outcome(windows=[window(HOUR, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.FILLING)]))
    assert subline(blind) == "None of 1 windows could be judged, so this says nothing about the model."
    assert headline(report(lively())) == "2 incidents in 14 days would have sent 2 pages and 2 warnings."


def test_accuracy_is_over_all_truths() -> None:
    """900 of 1,000 predictions came true: 0.9, whatever windows were mature; the chart shows the scale near an hour."""
    windows = [
        FinalAccuracyEvaluation(
            version="1", length=length, window_end=START + end * HOUR, accuracy=0.9, low=0.88, high=0.92,
            counts=PerformanceCounts(sampled=100, labelled=100, correct=90),
        )
        for length, end in ((10, 1), (60, 1), (60, 2), (1440, 24))
    ]  # fmt: skip
    accuracy = report(outcome(labelled=1000, correct=900, accuracies=windows)).accuracy
    assert accuracy is not None
    assert (accuracy.accuracy, accuracy.windows, accuracy.scale) == (0.9, {"10m": 1, "1h": 2, "24h": 1}, "1h")
    assert [point.end for point in accuracy.points] == ["2026-06-01T01:00:00Z", "2026-06-01T02:00:00Z"]
    assert report(outcome()).accuracy is None


def test_the_document_comes_back_as_it_was_written() -> None:
    """JSON in, the same report out; equal outcomes give equal bytes."""
    encoded = encode_report(report(lively()))
    assert msgspec.json.decode(encoded, type=BacktestReport) == report(lively())
    assert encoded == encode_report(report(lively()))


def test_every_name_of_the_document_is_documented() -> None:
    """docs/backtest.md names each field of the document, part by part, as the schema has them."""
    documented = (ROOT / "docs/backtest.md").read_text()
    schema = msgspec.json.schema(BacktestReport)["$defs"]
    for part in schema.values():
        for name in part.get("properties", ()):  # a closed list has none
            assert f"`{name}`" in documented, name


def test_names_are_stable() -> None:
    """What others read: the top of the document, and of the summary."""
    document = json.loads(encode_report(report(lively())))
    assert set(document) == {
        "format", "driftline", "model", "namespace", "history", "rule", "summary", "rules", "incidents", "actions",
        "columns", "scales", "segments", "accuracy", "notes", "charts",
    }  # fmt: skip
    assert set(document["summary"]) == {
        "pages", "pages_per_week", "warnings", "warnings_per_week", "follow_ups", "incidents", "incidents_per_week",
        "open_at_end", "open_hours", "open_share",
    }  # fmt: skip


def test_numbers_are_never_rounded_to_another_answer() -> None:
    """Something is never nothing, not all is never all, and a span has the unit that it is read in."""
    assert [percent_cell(value) for value in (0, 0.0001, 0.052, 0.5, 0.9999, 0.995, 1)] == [
        "0 %", "<0.1 %", "5.2 %", "50 %", ">99.9 %", "99.5 %", "100 %",
    ]  # fmt: skip
    assert [rate(value) for value in (0, 0.04, 0.5, 12.3)] == ["0", "0.04", "0.5", "12"]
    assert [duration_words(value * DAY_MINUTES) for value in (0.2, 6.94, 21.2)] == ["4.8 hours", "6.9 days", "21 days"]
    assert [duration(value * HOUR_MINUTES) for value in (0.4, 3.42, 60)] == ["24 min", "3.4 h", "2.5 days"]


def test_every_finding_of_the_worst_step_is_reported() -> None:
    """An incident of two columns has a sentence for each."""
    two = [finding("age", tier=Tier.ALERT), _other()]
    raised = incident(step(HOUR, "opened", Tier.ALERT, findings=two))
    (reported,) = report(outcome(incidents=[raised])).incidents
    assert reported.findings == ("`age`: moved.", "`amount`: missing.")


def _other() -> Finding:
    return msgspec.structs.replace(finding("amount"), sentence="`amount`: missing.")

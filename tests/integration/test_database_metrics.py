"""What /metrics of an alerter reads from Postgres at each scrape: the same in every alerter, and never frozen."""

import numpy as np
import pytest
import sqlalchemy as sa
from prometheus_client.core import Metric
from sqlalchemy import Engine

from alerting.database_metrics import DatabaseMetrics
from monitor.evaluate import Evaluator, evaluation_rules
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.database_clock import database_now_millis
from monitor.store.engine import make_engine
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_model_rounds import RecordingEvaluator, alerter_on
from tests.models.alerted import action, apply_story, webhook
from tests.models.counted import apply_counted_model, set_watermark, write_panes
from tests.models.holding import hold_actions
from tests.models.rounds import advance_fully
from tests.services.processes import free_port

T0 = 1_780_000_200_000
HOOK = "http://127.0.0.1:9/hook"


def values(collector: DatabaseMetrics) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and its labels' values."""
    families: list[Metric] = list(collector.collect())
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_alerter_says_the_same(engine: Engine) -> None:
    """Two alerters, of which only one decided anything: open incidents, what waits, holds, looks."""
    story = RecordingEvaluator(broken={"broken"})
    for name in ("credit", "broken"):
        applied = apply_story(
            engine, model=name, receivers=[webhook("people", HOOK)], retraining=action("auto", HOOK),
            alerting="freshness: 9999d",
        )  # fmt: skip
        story.play(applied, "a", start=T0)
    hold_actions(engine)
    alerter_on(engine, story, name="one").advance()
    alerter_on(engine, ScriptedEvaluator(), name="two")
    first, second = (values(DatabaseMetrics(engine, Settings())) for _ in range(2))
    assert first == second
    assert first["driftline_database_up",] == 1
    assert first["driftline_incidents_open", "drift", "credit"] == 1
    assert first["driftline_incidents_open", "performance", "credit"] == 0
    assert first["driftline_incidents_open", "drift", "broken"] == 0
    assert [first["driftline_unacknowledged", tier] for tier in ("warning", "alert", "critical")] == [0, 1, 0]
    assert first["driftline_outbox_pending", "notification"] == 1
    assert first["driftline_outbox_pending", "action"] == 0
    assert first["driftline_outbox_oldest_timestamp_seconds", "notification"] > T0 / 1000
    assert ("driftline_outbox_oldest_timestamp_seconds", "action") not in first
    assert first["driftline_endpoint_up", "credit/receivers/people"] == 1
    assert first["driftline_model_turn_timestamp_seconds", "credit"] > T0 / 1000
    assert first["driftline_model_turn_timestamp_seconds", "broken"] == 0
    assert first["driftline_model_turn_failures_total", "broken"] == 1
    assert first["driftline_holds",] == 1
    assert first["driftline_alerters",] == 1


def test_an_endpoint_is_down_until_it_answers_or_nothing_waits_for_it(engine: Engine) -> None:
    """A breaker that lets an attempt through each minute must not end an alert; nor may one that nobody needs raise it.

    The message waits since its receiver misses something, whatever it took the place of.
    """
    applied = apply_story(
        engine, receivers=[webhook("people", HOOK)], retraining=action("auto", HOOK), alerting="freshness: 9999d"
    )
    story = ScriptedEvaluator()
    story.play(applied, "a", start=T0)
    hold_actions(engine)
    alerter_on(engine, story).advance()
    people = "credit/receivers/people"
    collectors = (DatabaseMetrics(engine, Settings()) for _ in range(9))
    passed = {"broken_until": sa.func.clock_timestamp() - sa.text("interval '1 second'")}
    with engine.begin() as connection:
        connection.execute(sa.update(schema.endpoint).values(**passed))
        connection.execute(sa.update(schema.outbox).values(undelivered_since=sa.func.to_timestamp(T0 / 1000)))
    shown = values(next(collectors))
    assert shown["driftline_endpoint_up", people] == 0
    assert shown["driftline_endpoint_up", "credit/actions/retraining"] == 1
    assert shown["driftline_outbox_oldest_timestamp_seconds", "notification"] == T0 / 1000
    with engine.begin() as connection:
        connection.execute(sa.update(schema.endpoint).values(broken_until=None))
    assert values(next(collectors))["driftline_endpoint_up", people] == 1
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.unanswering_host).values(host="http://127.0.0.1:9", failures=5, **passed))
    assert values(next(collectors))["driftline_endpoint_up", people] == 0
    with engine.begin() as connection:
        connection.execute(sa.update(schema.outbox).values(state="done"))
    assert values(next(collectors))["driftline_endpoint_up", people] == 1


def test_a_resolved_incident_is_open_in_no_alerter(engine: Engine) -> None:
    """One alerter opened it, another one closed it: the first said for ever that it is open."""
    story = ScriptedEvaluator()
    applied = apply_story(engine)
    story.play(applied, "a", start=T0)
    alerter_on(engine, story, name="one").advance()
    collector = DatabaseMetrics(engine, Settings())
    assert values(collector)["driftline_incidents_open", "drift", "credit"] == 1
    story.play(applied, "....", start=T0 + 10 * MINUTE_MILLIS)
    other = alerter_on(engine, story, name="two")
    other.advance(frozenset({"credit"}))
    assert values(DatabaseMetrics(engine, Settings()))["driftline_incidents_open", "drift", "credit"] == 0


def test_the_watermark_ages_while_nothing_is_evaluated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No evaluation gets on, then Postgres is away: the age grows all the same, and the timestamp stays."""
    with engine.begin() as connection:
        now = database_now_millis(connection)
        set_watermark(connection, now - HOUR_MILLIS, now=now)
    collector = DatabaseMetrics(engine, Settings())
    shown = values(collector)
    assert 3595 < shown["driftline_watermark_age_seconds",] < 3700
    monkeypatch.setattr("alerting.database_metrics.now_millis", lambda: now + HOUR_MILLIS)
    monkeypatch.setattr("alerting.database_metrics.FRESH_SECONDS", 0.0)
    collector._engine = make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/none")  # the server is away
    later = values(collector)
    assert later["driftline_database_up",] == 0
    assert later["driftline_watermark_timestamp_seconds",] == shown["driftline_watermark_timestamp_seconds",]
    assert 7195 < later["driftline_watermark_age_seconds",] < 7300
    assert not [name for name, *_ in later if name == "driftline_incidents_open"]


def test_drift_is_a_gauge_of_each_column_of_the_spec(engine: Engine) -> None:
    """Of the newest window of the shortest scale; a version whose events ended is not shown any more."""
    counted = apply_counted_model(engine)
    layout = counted.applied.cells[-1].layout
    start = T0 // (1440 * MINUTE_MILLIS) * 1440 * MINUTE_MILLIS
    shifted = np.zeros(layout.size, dtype=np.int64)
    for span in layout.spans:
        shifted[span.start + counted.cells // 2 : span.slots] = 8
    with engine.begin() as connection:
        write_panes(connection, counted, [(start + m * MINUTE_MILLIS, shifted, 0) for m in range(180)])
        set_watermark(connection, start + 180 * MINUTE_MILLIS, now=start + 181 * MINUTE_MILLIS)
    advance_fully(alerter_on(engine, Evaluator(evaluation_rules(Settings()))))
    collector = DatabaseMetrics(engine, Settings())
    drift = {key[1:]: value for key, value in values(collector).items() if key[0] == "driftline_psi"}
    columns = {column.name for column in layout.columns}
    assert {column for column, _, _ in drift} <= columns
    assert {(model, version) for _, model, version in drift} == {("credit", "1")}
    assert min(drift.values()) > 0.5
    with engine.begin() as connection:
        connection.execute(
            sa.update(schema.scale_progress).values(
                evaluated_until=schema.scale_progress.c.evaluated_until + 90_000_000
            )
        )
    assert not [key for key in values(DatabaseMetrics(engine, Settings())) if key[0] == "driftline_psi"]

"""Rounds over several models: unknown names, a model that fails, the real evaluator."""

from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.alerter import Alerter
from alerting.delivery.deliver import DeliverySettings
from alerting.receivers.webhook import WebhookSettings
from monitor.evaluate import EvaluationBatch, Evaluator, evaluation_rules
from monitor.health import Health
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.configuration import AppliedModel
from monitor.units import MINUTE_MILLIS
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import apply_story
from tests.models.counted import apply_counted_model, set_watermark, write_panes
from tests.models.rounds import advance_fully

T0 = 1_780_000_200_000


def rounds(engine: Engine, evaluator: ScriptedEvaluator | Evaluator) -> Alerter:
    webhook = WebhookSettings(timeout_seconds=1, allow_private=True, environment={})
    return Alerter(
        engine=engine,
        settings=Settings(),
        evaluator=evaluator,
        delivery=DeliverySettings(engine=engine, owner="test", webhook=webhook, jitter=lambda: 0.0),
        stopping=lambda: False,
        health=Health(),
    )


def incidents(engine: Engine) -> list[str]:
    query = sa.select(schema.model.c.name).join(schema.incident, schema.incident.c.model_id == schema.model.c.id)
    with engine.connect() as connection:
        return sorted(connection.execute(query).scalars())


def test_only_the_named_model_is_looked_at(engine: Engine) -> None:
    """A wake-up for a model nobody applied is ignored; None is all of them."""
    story = ScriptedEvaluator()
    for name in ("credit", "fraud"):
        story.play(apply_story(engine, model=name), "a", start=T0)
    alerter_rounds = rounds(engine, story)
    alerter_rounds.advance(frozenset({"nobody", "default/credit"}))
    assert incidents(engine) == []
    alerter_rounds.advance(frozenset({"fraud"}))
    assert incidents(engine) == ["fraud"]
    alerter_rounds.advance()
    assert incidents(engine) == ["credit", "fraud"]


def test_a_model_that_fails_stops_no_other(engine: Engine) -> None:
    """The first model's evaluation raises; the second is advanced all the same, the first leaves nothing behind."""

    @dataclass
    class Failing(ScriptedEvaluator):
        seen: list[str] = field(default_factory=list)

        def evaluate_model(
            self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int
        ) -> EvaluationBatch:
            self.seen.append(applied.key.name)
            batch = super().evaluate_model(connection, applied, now_millis=now_millis)
            if applied.key.name == "bad":
                raise ValueError("a fault nobody foresaw")
            return batch

    story = Failing()
    for name in ("bad", "good"):
        story.play(apply_story(engine, model=name), "a", start=T0)
    rounds(engine, story).advance()
    assert story.seen == ["bad", "good"]
    assert incidents(engine) == ["good"]


def test_the_real_evaluator_makes_an_incident(engine: Engine) -> None:
    """Six hours as in the reference, then six with everything in the upper half: drift, opened once."""
    counted = apply_counted_model(engine)
    cells = counted.cells
    start = T0 // (1440 * MINUTE_MILLIS) * 1440 * MINUTE_MILLIS
    layout = counted.applied.cells[-1].layout
    healthy, shifted = np.zeros(layout.size, dtype=np.int64), np.zeros(layout.size, dtype=np.int64)
    for span in layout.spans:
        healthy[span.start : span.slots] = 4
        shifted[span.start + cells // 2 : span.slots] = 8
    minutes = [(start + m * MINUTE_MILLIS, healthy if m < 360 else shifted, 0) for m in range(720)]
    with engine.begin() as connection:
        write_panes(connection, counted, minutes)
        set_watermark(connection, start + 720 * MINUTE_MILLIS, now=start + 721 * MINUTE_MILLIS)
    advance_fully(rounds(engine, Evaluator(evaluation_rules(Settings()))))
    assert incidents(engine) == ["credit"]
    with engine.connect() as connection:
        row = connection.execute(sa.select(schema.incident)).one()
    assert (row.kind, row.status) == ("drift", "open")
    assert start + 360 * MINUTE_MILLIS < row.first_end <= start + 480 * MINUTE_MILLIS

"""What people and systems are notified of when the accuracy of a model collapses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.settings import Settings
from monitor.store.schema import action, incident, outbox, performance_due, performance_pane, transition
from monitor.truth_age import AgeBucket
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.models.alerted import action as requested
from tests.models.alerted import webhook
from tests.models.counted import START, CountedModel, apply_counted_model, set_watermark, write_panes

BLOCK = 10  # minutes between two rounds
SAMPLED = 50  # predictions with a truth a minute
SPEC = f"""\
windows: {{min_events: 50, scales: [{{length: 10m, step: 5m}}, {{length: 1h, step: 10m}}, {{length: 6h, step: 1h}}]}}
alerting: {{freshness: 9999d, receivers: [{webhook("team", "https://example.org/team")}]}}
actions: {{retraining: {requested("auto", "https://example.org/retrain")}}}
"""


@dataclass(frozen=True, slots=True)
class Notified:
    """One step of the incident: the minute of its window's end, what happened, the tier."""

    minute: int
    step: str
    tier: Tier


@dataclass(slots=True)
class Stream:
    """A model whose predictions come ten minutes at a time, each with its truth."""

    engine: Engine
    counted: CountedModel
    evaluator: Evaluator
    random: np.random.Generator
    minutes: int = 0

    def play(self, accuracy: float, minutes: int, *, age: AgeBucket = AgeBucket.M1) -> None:
        """Let *minutes* pass with this *accuracy* of truths of this *age*, and judge after every ten of them."""
        for _ in range(minutes // BLOCK):
            starts = [START + (self.minutes + minute) * MINUTE_MILLIS for minute in range(BLOCK)]
            with self.engine.begin() as connection:
                vectors = [self.counted.counts(self.random, 100) for _ in starts]
                write_panes(
                    connection,
                    self.counted,
                    [(at, vector, SAMPLED) for at, vector in zip(starts, vectors, strict=True)],
                )
                keys = [{"series_id": self.counted.series_id, "minute": at} for at in starts]
                panes = [
                    {**key, "output": "", "age_bucket": age, "labelled": SAMPLED, "correct": int(correct)}
                    for key, correct in zip(keys, self.random.binomial(SAMPLED, accuracy, BLOCK), strict=True)
                ]
                connection.execute(sa.insert(performance_pane), panes)
                connection.execute(sa.insert(performance_due), keys)
                self.minutes += BLOCK
                now = START + self.minutes * MINUTE_MILLIS
                set_watermark(connection, now, now=now)
            advance_model(self.engine, self.counted.applied, self.evaluator, Settings(), now_millis=now)

    def steps(self) -> list[Notified]:
        """Return every step of performance incidents, in order."""
        query = (
            sa.select(transition.c.window_end, transition.c.step, transition.c.tier)
            .join(incident, incident.c.id == transition.c.incident_id)
            .where(incident.c.kind == "performance")
            .order_by(transition.c.id)
        )
        with self.engine.connect() as connection:
            return [
                Notified((end - START) // MINUTE_MILLIS, step, Tier(tier))
                for end, step, tier in connection.execute(query)
            ]

    def messages(self) -> int:
        """Return how many messages about incidents were to be sent."""
        with self.engine.connect() as connection:
            query = sa.select(sa.func.count()).where(outbox.c.kind == "notification")
            return int(connection.execute(query).scalar_one())

    def requests(self) -> Sequence[str]:
        """Return the reasons of the actions that were granted."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(action.c.reason).where(action.c.state != "refused")).scalars().all()


def stream_of(engine: Engine, *, ages: tuple[tuple[int, int, int], ...] = ()) -> Stream:
    """Return the stream of a model with an accuracy of 0.98 in its reference, whose truths have these *ages*."""
    counted = apply_counted_model(engine, extra=SPEC, correct=19_600, labelled=20_000, truth_ages=ages)
    rules = EvaluationRules(watermark=WatermarkRules(), revision_seconds=0)
    return Stream(engine, counted, Evaluator(rules), np.random.default_rng(31))


@pytest.fixture
def stream(engine: Engine) -> Stream:
    """A stream whose reference does not know when its truths came."""
    return stream_of(engine)


def test_a_collapse_pages_and_asks_for_a_retraining(stream: Stream) -> None:
    """Accuracy 0.98 down to 0.009: critical within ten minutes, one message, one retraining request.

    ::

        minutes   0 ................ 120 .... 140
        accuracy  0.98               0.009
    """
    stream.play(0.98, 120)
    assert stream.steps() == []
    stream.play(0.009, 20)
    opened = stream.steps()[0]
    assert (opened.step, opened.tier) == ("opened", Tier.CRITICAL)
    assert opened.minute <= 130
    assert stream.messages() == 1
    assert stream.requests() == ["performance_critical"]


def test_a_fall_by_steps_is_notified_tier_by_tier(stream: Stream) -> None:
    """From 0.97 down by 0.02 an hour: warning, alert and critical, each notified, none skipped and none twice.

    ::

        hours     0      1      2      3  ...  9
        accuracy  0.97   0.95   0.93   0.91    0.79
    """
    for hour in range(10):
        stream.play(0.97 - 0.02 * hour, 60)
    assert [(step.step, step.tier) for step in stream.steps()] == [
        ("opened", Tier.WARNING),
        ("escalated", Tier.ALERT),
        ("escalated", Tier.CRITICAL),
    ]
    assert stream.messages() == 3


def test_a_second_collapse_is_notified(stream: Stream) -> None:
    """Back for eight hours after the first collapse, then the second: one more incident, one more message.

    ::

        hours     0 ... 2      2.5    10.5    11
        accuracy  0.98  0.01   0.99   0.015
    """
    stream.play(0.98, 120)
    stream.play(0.01, 30)
    stream.play(0.99, 480)
    assert [step.step for step in stream.steps()] == ["opened", "resolved"]
    messages = stream.messages()
    stream.play(0.015, 30)
    *_, second = stream.steps()
    assert (second.step, second.tier) == ("opened", Tier.CRITICAL)
    assert second.minute <= 640
    assert stream.messages() == messages + 1


def test_a_marked_worsening_of_what_is_critical_is_notified(stream: Stream) -> None:
    """Down to 0.8, and an hour later to 0.4: critical already, and now three times as bad as people know.

    ::

        hours     0      2      3
        accuracy  0.98   0.80   0.4
    """
    stream.play(0.98, 120)
    stream.play(0.80, 60)
    messages = stream.messages()
    assert stream.steps()[-1].tier is Tier.CRITICAL
    stream.play(0.4, 60)
    news = [step for step in stream.steps() if step.minute > 180]
    assert news[0].step == "worsened"
    assert news[0].minute <= 200
    assert stream.messages() == messages + len(news)


@pytest.mark.parametrize("known", [True, False], ids=["ages known", "full age"])
def test_early_truths_are_compared_with_early_ones(engine: Engine, known: bool) -> None:
    """Of truths known within four hours 0.9 are right, in the reference as well: an incident only at full age.

    ::

        minutes   0 ....................... 120 .... 180
        accuracy  0.9, as in the reference   0.5: a fall at this age too
    """
    ages = ((int(AgeBucket.H4), 2_000, 1_800), (int(AgeBucket.D30), 18_000, 17_800))
    stream = stream_of(engine, ages=ages if known else ())
    stream.play(0.9, 120, age=AgeBucket.H4)
    assert (stream.steps() == []) is known
    stream.play(0.5, 60, age=AgeBucket.H4)
    assert stream.steps()[-1].tier is Tier.CRITICAL

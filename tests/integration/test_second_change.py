"""One change ends and, hours later, another column changes: the first is closed, the second is notified."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import sqlalchemy as sa
from scipy.special import ndtr, ndtri
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.arrays import Int64s
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.reference.layout import SLOTS
from monitor.settings import Settings
from monitor.store.schema import outbox
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.models.alerted import body_of, webhook
from tests.models.counted import START, CountedModel, apply_counted_model, set_watermark, write_panes

COLUMNS, EVENTS = 20, 10  # events a minute: 200 in the shorter windows
ROUND = 60  # minutes
SPEC = f"""\
windows: {{scales: [{{length: 20m, step: 2m}}, {{length: 4h, step: 20m}}]}}
alerting: {{freshness: 9999d, receivers: [{webhook("team", "https://example.org/team")}]}}
"""


@dataclass(slots=True)
class Stream:
    """A model of twenty columns at 200 events a window, and what is sent about it."""

    engine: Engine
    counted: CountedModel
    evaluator: Evaluator
    random: np.random.Generator
    minutes: int = 0

    def play(self, hours: int, shifts: Mapping[str, float] | None = None) -> None:
        """Let *hours* pass in which columns are so many standard deviations away, and judge after each."""
        for _ in range(hours):
            minutes = range(self.minutes, self.minutes + ROUND)
            deltas = [(START + minute * MINUTE_MILLIS, self._counts(shifts or {}), 0) for minute in minutes]
            self.minutes += ROUND
            now = START + self.minutes * MINUTE_MILLIS
            with self.engine.begin() as connection:
                write_panes(connection, self.counted, deltas)
                set_watermark(connection, now, now=now)
            advance_model(self.engine, self.counted.applied, self.evaluator, Settings(), now_millis=now)

    def sent(self) -> list[tuple[str, frozenset[str]]]:
        """Return what was sent: the step, and the columns that its message names."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(outbox.c.body).order_by(outbox.c.created_at, outbox.c.id)).scalars()
            bodies = [body_of(bytes(body)) for body in rows]
        bodies.sort(key=lambda body: str(body["window_end"]))
        incidents = [incident for body in bodies for incident in body["incidents"]]
        return [
            (
                str(incident["step"]),
                frozenset([*(shown["column"] for shown in incident["what"]), *incident["also_moved"]]),
            )
            for incident in incidents
        ]

    def _counts(self, shifts: Mapping[str, float]) -> Int64s:
        edges = ndtri(np.linspace(0.0, 1.0, self.counted.cells + 1))
        parts = []
        for number in range(COLUMNS):
            shares = np.diff(ndtr(edges - shifts.get(f"f{number}", 0.0)))
            parts.append([*self.random.multinomial(EVENTS, shares), *np.zeros(SLOTS, dtype=np.int64)])
        return np.concatenate(parts).astype(np.int64)


@pytest.fixture
def stream(engine: Engine) -> Stream:
    """The stream before anything happened."""
    counted = apply_counted_model(engine, columns=COLUMNS, extra=SPEC)
    rules = EvaluationRules(watermark=WatermarkRules(), revision_seconds=0)
    return Stream(engine, counted, Evaluator(rules), np.random.default_rng(12))


def test_the_second_change_is_notified(stream: Stream) -> None:
    """1 standard deviation on f3 for three hours; 15 hours later half of one on f7 that lasts.

    Before, no window of twenty columns at 200 events was calm: the incident stayed open, and nobody was notified of f7.

    ::

        hours   0 ....... 5 ....... 8 .................... 23 ........... 31
        f3                |-- 1.0 --|
        f7                                                 |---- 0.5 -----
        sent              opened    resolved                  opened
    """
    stream.play(5)
    assert stream.sent() == []
    stream.play(3, {"f3": 1.0})
    stream.play(2)
    first = stream.sent()
    assert [step for step, _ in first if step not in ("escalated", "calmed")] == ["opened", "resolved"]
    assert first[0][1] == {"f3"}
    stream.play(13)
    assert stream.sent() == first
    stream.play(8, {"f7": 0.5})
    second = stream.sent()[len(first) :]
    assert second
    assert second[0] == ("opened", {"f7"})


def test_a_column_that_joins_an_open_incident_is_notified(stream: Stream) -> None:
    """f3 stays where it is; f7 moves five hours later: its own message, which begins with f7."""
    stream.play(5)
    stream.play(5, {"f3": 1.0})
    first = stream.sent()
    assert first[0][0] == "opened"
    stream.play(6, {"f3": 1.0, "f7": 1.0})
    steps = [step for step, _ in stream.sent()[len(first) :]]
    assert steps == ["joined"]
    _, columns = stream.sent()[-1]
    assert columns == {"f3", "f7"}

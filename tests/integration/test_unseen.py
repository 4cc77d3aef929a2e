"""Unseen values in a real Postgres: appended by flushes, merged, dropped, and read where incidents are reported."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from driftline.cli.incidents import incidents
from monitor.errors import OffsetFenced
from monitor.health import Health
from monitor.maintain.loop import Maintainer
from monitor.maintain.retention import drop_expired
from monitor.settings import Settings
from monitor.stats.heavy_hitters import FrequentValues, frequent_values
from monitor.store.flush import FlushContents, write_flush
from monitor.store.offsets import PartitionCounters, PartitionMove
from monitor.store.schema import input_offset, unseen_value
from monitor.store.series import ensure_series
from monitor.store.unseen_values import UnseenDelta, append_unseen, merge_unseen, unseen_values
from monitor.types import IncidentKind, PartitionKey, SeriesKey, Statistic
from monitor.units import MINUTE_MILLIS
from tests.fakes.scripted_evaluator import SCALE, ScriptedEvaluator
from tests.models.alerted import apply_story, body_of, webhook

HOUR = 60 * MINUTE_MILLIS
T0 = 1_780_000_000_000 // HOUR * HOUR
HOOK = "http://127.0.0.1:9/hook"


def series_of(engine: Engine, model_id: int, version: str = "1") -> int:
    key = SeriesKey(model_id, version)
    with engine.begin() as connection:
        return ensure_series(connection, {key})[key]


def append(engine: Engine, series_id: int, *, hour: int = T0, column: str = "region", **counts: int) -> None:
    values = frequent_values(counts, capacity=20)
    with engine.begin() as connection:
        append_unseen(connection, [UnseenDelta(series_id=series_id, column=column, hour=hour, values=values)])


def read(engine: Engine, model_id: int, *, since: int = T0, until: int = T0 + 2 * HOUR) -> dict[str, FrequentValues]:
    with engine.connect() as connection:
        return unseen_values(connection, model_id=model_id, version="1", since=since, until=until)


def rows(engine: Engine) -> list[tuple[int, bool]]:
    with engine.connect() as connection:
        result = connection.execute(sa.select(unseen_value.c.hour, unseen_value.c.merged).order_by(unseen_value.c.id))
        return [(row.hour, row.merged) for row in result]


def test_rows_of_an_hour_become_one_and_say_the_same(engine: Engine) -> None:
    """A hundred flushes leave one row an hour; what is read is equal before and after, and merging again is idle."""
    applied = apply_story(engine)
    series_id = series_of(engine, applied.model_id)
    for flush in range(100):
        append(engine, series_id, hour=T0 + flush % 2 * HOUR, BY=3, BE=flush % 5 + 1)
    before = read(engine, applied.model_id)
    assert before == {"region": FrequentValues((("BE", 300), ("BY", 300)))}
    with engine.begin() as connection:
        assert merge_unseen(connection, limit=10) == 2
        assert merge_unseen(connection, limit=10) == 0
    assert rows(engine) == [(T0, True), (T0 + HOUR, True)]
    assert read(engine, applied.model_id) == before
    append(engine, series_id, BY=1)
    with engine.begin() as connection:
        assert merge_unseen(connection, limit=10) == 1
    assert read(engine, applied.model_id) == {"region": FrequentValues((("BY", 301), ("BE", 300)))}


def test_only_the_hours_that_are_asked_for_are_read(engine: Engine) -> None:
    """A window from 10:30 to 11:00 reads the hour from 10:00 on; other versions and columns are left out."""
    applied = apply_story(engine)
    mine, other = series_of(engine, applied.model_id), series_of(engine, applied.model_id, "2")
    append(engine, mine, hour=T0, A=1)
    append(engine, mine, hour=T0 + HOUR, B=1)
    append(engine, other, hour=T0, C=1)
    append(engine, mine, hour=T0, column="plan", D=1)
    result = read(engine, applied.model_id, since=T0 + HOUR // 2, until=T0 + HOUR)
    assert result == {"plan": FrequentValues((("D", 1),)), "region": FrequentValues((("A", 1),))}
    with engine.connect() as connection:
        span = {"since": T0, "until": T0 + HOUR}
        only = unseen_values(connection, model_id=applied.model_id, version="1", columns={"plan"}, **span)
    assert list(only) == ["plan"]


def test_two_maintainers_and_a_flush_lose_nothing(engine: Engine) -> None:
    """While one merges, another and a flush go on without waiting; the sum is exact in the end."""
    applied = apply_story(engine)
    series_id = series_of(engine, applied.model_id)
    for _ in range(10):
        append(engine, series_id, BY=1)
    with engine.begin() as first:
        assert merge_unseen(first, limit=10) == 1
        done = threading.Event()

        def others() -> None:
            append(engine, series_id, BY=1)
            with engine.begin() as second:
                merge_unseen(second, limit=10)
            done.set()

        thread = threading.Thread(target=others)
        thread.start()
        assert done.wait(10), "another maintainer or a flush waited for the first"
        thread.join()
    assert read(engine, applied.model_id)["region"].total == 11
    # Each has made a row of what it got; the next flush of the hour brings them together.
    assert rows(engine) == [(T0, True), (T0, True)]
    append(engine, series_id, BY=1)
    with engine.begin() as connection:
        merge_unseen(connection, limit=10)
    assert read(engine, applied.model_id)["region"].total == 12
    assert rows(engine) == [(T0, True)]


def test_names_are_written_with_the_offsets_or_not_at_all(engine: Engine) -> None:
    """A flush whose partition has moved on writes no names; the same flush in its place writes them once."""
    applied = apply_story(engine)
    series_id = series_of(engine, applied.model_id)
    key = PartitionKey("predictions", 0)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(input_offset).values(
                topic=key.topic, partition=key.partition, role="predictions", next_offset=0, epoch=1
            )
        )
    delta = UnseenDelta(series_id=series_id, column="region", hour=T0, values=FrequentValues((("BY", 5),)))
    move = PartitionMove(
        key=key, epoch=1, first_offset=0, next_offset=5, max_event_time=T0, caught_up=True,
        counters=PartitionCounters(records=5, counted=5), recent_bad=b"", incarnation=0,
    )  # fmt: skip
    contents = FlushContents(
        worker="test", generation=1, horizon=100, moves=(move,), panes=(), marks=(), predictions=(), truths=(),
        deployments=(), dead_letters=(), unseen=(delta,), identities={}, intakes=(), refused=(), discovered={},
    )  # fmt: skip
    with engine.begin() as connection:
        write_flush(connection, contents)
    with pytest.raises(OffsetFenced), engine.begin() as connection:
        write_flush(connection, contents)
    assert read(engine, applied.model_id) == {"region": FrequentValues((("BY", 5),))}


def test_retention_drops_names_with_the_panes_and_maintain_merges(engine: Engine) -> None:
    """Hours that ended before the retention go, by event time; the round of maintain merges what is left."""
    applied = apply_story(engine)
    series_id = series_of(engine, applied.model_id)
    settings = Settings(pane_retention_days=90)
    newest = T0 + 90 * 24 * HOUR
    with engine.begin() as connection:
        connection.execute(
            sa.insert(input_offset).values(
                topic="predictions", partition=0, role="predictions", next_offset=0, max_event_time=newest
            )
        )
    for hour in (T0 - 2 * HOUR, T0 - HOUR, T0, T0, T0 + HOUR):
        append(engine, series_id, hour=hour, BY=1)
    assert drop_expired(engine, settings) == 2
    assert [hour for hour, _ in rows(engine)] == [T0, T0, T0 + HOUR]
    Maintainer(engine, settings, Health()).round(stop=threading.Event())
    assert rows(engine) == [(T0, True), (T0 + HOUR, True)]


def play_unseen(engine: Engine, *, alerting: str) -> tuple[str, dict[str, Any]]:
    """Play a data-quality incident about `region`; return its id and the body of its first message."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=alerting)
    series_id = series_of(engine, applied.model_id)
    counts: dict[str, Any] = {"BY": 61, "NRW": 22, "n/a": 17}
    append(engine, series_id, hour=T0, **counts)
    append(engine, series_id, hour=T0 + 5 * HOUR, later=1000)
    story = ScriptedEvaluator()
    story.play(
        applied, "aa", start=T0 + SCALE.length * MINUTE_MILLIS, kind=IncidentKind.DATA_QUALITY, column="region",
        statistic=Statistic.UNSEEN,
    )  # fmt: skip
    advance_model(engine, applied, story, Settings(), now_millis=T0 + HOUR)
    with engine.connect() as connection:
        incident_id = connection.execute(sa.text("SELECT id FROM incident")).scalar_one()
        body = connection.execute(sa.text("SELECT body FROM outbox ORDER BY created_at, id LIMIT 1")).scalar_one()
    return str(incident_id), body_of(bytes(body))


def test_the_incident_names_the_values_and_the_message_says_where(
    engine: Engine,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """`driftline incidents ID` names them; the message, which leaves the house, names only the command."""
    incident_id, body = play_unseen(engine, alerting="freshness: 7d")
    assert "BY" not in json.dumps(body)
    (reported,) = body["incidents"]
    assert f"`driftline incidents {incident_id[:8]}` names the values" in reported["next_step"]
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    incidents(incident_id[:8])
    assert "Unseen in `region` meanwhile (100 events): `BY` 61 %, `NRW` 22 %, `n/a` 17 %." in capsys.readouterr().out
    incidents(incident_id[:8], as_json=True)
    (unseen,) = json.loads(capsys.readouterr().out)["unseen"]
    assert (unseen["column"], unseen["events"]) == ("region", 100)
    assert unseen["values"] == {"counts": [["BY", 61], ["NRW", 22], ["n/a", 17]], "other": 0}


def test_a_message_names_the_values_where_the_spec_allows_it(engine: Engine) -> None:
    """With `tell_values` the sentence that on-call reads has them, from the hours of the window alone."""
    _, body = play_unseen(engine, alerting="tell_values: true\n  freshness: 7d")
    (reported,) = body["incidents"]
    assert reported["sentence"].endswith("Unseen: `BY` 61 %, `NRW` 22 %, `n/a` 17 %.")
    assert reported["what"][0]["sentence"].endswith("Unseen: `BY` 61 %, `NRW` 22 %, `n/a` 17 %.")
    assert "names the values" not in reported["next_step"]

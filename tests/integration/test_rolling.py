"""Rolling references on a real Postgres: what is kept, what is approved, and when one is adopted."""

import threading

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.arrays import Float64s
from monitor.clock import now_millis, to_datetime
from monitor.health import Health
from monitor.maintain.live_blocks import LiveBlockKeeper, base_reference
from monitor.maintain.loop import Maintainer
from monitor.maintain.retention import Compactor
from monitor.maintain.rolling_reference import RollingReference, adopt_rolling_when_due, build_rolling
from monitor.reference.rolling import CoarseOrder
from monitor.settings import Settings
from monitor.store.configuration import load_reference
from monitor.store.engine import snapshot
from monitor.store.live_blocks import BlockKey, read_blocks
from monitor.store.schema import deployment, evaluation, incident, live_block, pane, reference, scale_progress, spec
from monitor.store.series import ensure_series
from monitor.store.specs import AdoptOutcome
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.models.counted import START, set_watermark
from tests.models.referenced import (
    SPEC,
    WATERMARKS,
    ReferencedModel,
    apply_referenced_model,
    counts_of,
    evaluate_until,
    evaluator,
    profile_of,
    write_panes,
)

DAY = 1440  # minutes
EVENTS = 20
ROLLING_SPEC = SPEC + "reference_policy: rolling\n"


def stream(minutes: range, *, seed: int = 1, mean: float = 0.0) -> list[tuple[int, Float64s]]:
    """Twenty events a minute: (start in ms, values)."""
    random = np.random.default_rng(seed)
    return [(START + minute * MINUTE_MILLIS, random.normal(mean, size=EVENTS)) for minute in minutes]


def write(engine: Engine, model: ReferencedModel, panes: list[tuple[int, Float64s]], *, version: str = "1") -> None:
    applied = model.applied(engine)
    with engine.begin() as connection:
        key = SeriesKey(model.model_id, version)
        series_id = ensure_series(connection, {key})[key]
        cells = applied.cells[-1]
        write_panes(connection, series_id=series_id, cells_id=cells.cells_id, layout=cells.layout, panes=panes)


def watermark_at(minute: int) -> int:
    """The watermark under which everything before *minute* is final."""
    return START + minute * MINUTE_MILLIS + WATERMARKS.finality


def rolled(engine: Engine, model: ReferencedModel, minute: int) -> RollingReference:
    with snapshot(engine) as connection:
        return build_rolling(connection, model.applied(engine), watermark=watermark_at(minute), rules=WATERMARKS)


def keep(engine: Engine, model: ReferencedModel, minute: int, keeper: LiveBlockKeeper | None = None) -> int:
    return (keeper or LiveBlockKeeper(WATERMARKS)).keep(engine, model.applied(engine), watermark=watermark_at(minute))


def open_incident(engine: Engine, model: ReferencedModel, *, first: int, until: int | None, version: str = "1") -> None:
    """An incident of which the first window ended at minute *first*, found by windows of the longest stored length."""
    end = None if until is None else START + until * MINUTE_MILLIS
    with engine.begin() as connection:
        connection.execute(
            sa.insert(incident).values(
                id=f"00000000-0000-0000-0000-{first:012d}", model_id=model.model_id, version=version, kind="drift",
                status="open" if until is None else "resolved", tier=1, state="{}",
                first_end=START + first * MINUTE_MILLIS, last_end=START + first * MINUTE_MILLIS,
                resolved_end=end, sentence="x",
            )
        )  # fmt: skip


def in_production(
    engine: Engine, model: ReferencedModel, version: str, *, since: int, offset: int = 0, traffic: float | None = None
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(deployment).values(
                model_id=model.model_id, version=version, event_time=START + since * MINUTE_MILLIS, stage="production",
                topic="deployments", partition=0, offset=offset, traffic=traffic,
            )
        )  # fmt: skip


@pytest.fixture
def model(engine: Engine) -> ReferencedModel:
    """A model whose reference has no time stamps."""
    return apply_referenced_model(engine, profile_of(np.random.default_rng(0).normal(size=5000)))


def test_it_is_the_sum_of_the_approved_hours(engine: Engine, model: ReferencedModel) -> None:
    """Thirty hours of a stream: their counts, on the base's cells, and movement that is measured now."""
    panes = stream(range(30 * 60))
    write(engine, model, panes)
    keep(engine, model, 30 * 60)
    result = rolled(engine, model, 30 * 60)
    assert result.profile is not None
    with engine.connect() as connection:
        base = load_reference(connection, result.base_id)
    assert result.profile.layout == base.layout
    assert result.profile.rows == 30 * 60 * EVENTS
    expected = counts_of(base.layout, np.concatenate([values for _, values in panes]))
    assert result.profile.counts.tolist() == expected.tolist()
    assert (len(result.hours.approved), result.blocks) == (30, 30 * 12)
    assert base.columns[0].movement[60].status == "uncalibrated"
    assert result.profile.columns[0].movement[60].status == "measured"
    assert result.profile.columns[0].movement[10].status == "measured"  # 200 values in ten minutes


def test_blocks_are_kept_whatever_is_compacted_meanwhile(engine: Engine, model: ReferencedModel) -> None:
    """Hour by hour, as the role does it, with late deltas and compaction: the same blocks as from all panes at once."""
    keeper, compactor, judge = LiveBlockKeeper(WATERMARKS), Compactor(WATERMARKS), evaluator()
    panes = stream(range(12 * 60))
    for hour in range(12):
        write(engine, model, panes[hour * 60 : (hour + 1) * 60])
        evaluate_until(engine, model, (hour + 1) * 60, judge)
        if hour % 5 == 4:
            keeper = LiveBlockKeeper(WATERMARKS)  # the process died and came back
        keep(engine, model, (hour + 1) * 60 - 6, keeper)
        compactor.compact(engine, model.applied(engine), watermark=watermark_at((hour + 1) * 60 - 6))
    keep(engine, model, 12 * 60, keeper)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.max(pane.c.span))).scalar() == 60
        base = base_reference(connection, model.applied(engine))
        key = BlockKey(series_id=model.series_id, reference_id=base.reference_id, minutes=base.minutes)
        blocks = read_blocks(connection, key, start=0, stop=2**60, size=base.order.size)
    assert base.minutes == 5
    assert [value.start for value in blocks] == [START + at * 5 * MINUTE_MILLIS for at in range(12 * 12)]
    order = CoarseOrder(base.profile)
    for value in blocks:
        inside = [values for at, values in panes if value.start <= at < value.start + 5 * MINUTE_MILLIS]
        expected = order.coarse(counts_of(base.profile.layout, np.concatenate(inside)))
        assert value.counts.tolist() == expected.tolist()
    assert keep(engine, model, 12 * 60) == 0


def test_what_was_compacted_before_has_no_blocks(engine: Engine, model: ReferencedModel) -> None:
    """History from before the upgrade: its hours count, its short blocks cannot be cut, and nothing is made up."""
    write(engine, model, stream(range(26 * 60)))
    evaluate_until(engine, model, 26 * 60, evaluator())
    Compactor(WATERMARKS).compact(engine, model.applied(engine), watermark=watermark_at(26 * 60))
    keep(engine, model, 26 * 60)
    result = rolled(engine, model, 26 * 60)
    assert result.profile is not None
    assert len(result.hours.approved) == 26
    assert 0 < result.blocks < 8 * 12


def test_hours_with_incidents_are_left_out(engine: Engine, model: ReferencedModel) -> None:
    """From the start of the window that found it to its end; those of other versions do not matter.

    ::

        hour        0 ....... 9 | 10 11 12 13 | 14 ...... 39
        incident                  (1 h window ends at 11:00 … resolved at 14:00)
    """
    write(engine, model, stream(range(40 * 60)))
    open_incident(engine, model, first=11 * 60, until=14 * 60)
    open_incident(engine, model, first=20 * 60, until=None, version="2")
    with engine.begin() as connection:
        for length, verdict in ((10, "WARNING"), (60, "ALERT"), (240, "OK")):
            connection.execute(
                sa.insert(evaluation).values(
                    series_id=model.series_id, length=length, window_end=START + 11 * HOUR_MILLIS, cells_id=1,
                    spec_version=1, revision=0, reference_id=1, events=1, previous_events=0, sampled=0,
                    verdict=verdict, result="{}",
                )
            )  # fmt: skip
    result = rolled(engine, model, 40 * 60)
    left_out = {START + hour * HOUR_MILLIS for hour in range(40)} - set(result.hours.approved)
    assert left_out == {START + hour * HOUR_MILLIS for hour in (10, 11, 12, 13)}
    assert (result.hours.in_incidents, result.incident_open) == (4, False)
    assert result.profile is not None
    assert result.profile.rows == 36 * 60 * EVENTS


def test_an_open_incident_goes_on(engine: Engine, model: ReferencedModel) -> None:
    """Nothing after its beginning is approved; without a known window an hour before it is not either."""
    write(engine, model, stream(range(40 * 60)))
    open_incident(engine, model, first=30 * 60, until=None)
    result = rolled(engine, model, 40 * 60)
    assert (max(result.hours.approved), result.incident_open) == (START + 28 * HOUR_MILLIS, True)


def test_it_is_of_the_version_in_production(engine: Engine, model: ReferencedModel) -> None:
    """The hours of the version that serves now since it does; without deployments, of the busiest one."""
    write(engine, model, stream(range(40 * 60)))
    write(engine, model, stream(range(40 * 60), seed=2, mean=1.0)[::2], version="2")
    assert rolled(engine, model, 40 * 60).version == "1"
    in_production(engine, model, "1", since=0)
    in_production(engine, model, "2", since=10 * 60 + 30, offset=1)
    result = rolled(engine, model, 40 * 60)
    assert result.version == "2"
    assert (min(result.hours.approved), result.hours.not_serving) == (START + 11 * HOUR_MILLIS, 11)
    assert result.profile is not None
    assert result.profile.rows == 29 * 60 * EVENTS // 2


def test_of_several_versions_in_production_it_is_of_the_busiest(engine: Engine, model: ReferencedModel) -> None:
    """Version 2 shares production with version 1, and has most of it by now."""
    write(engine, model, stream(range(40 * 60))[::2])
    write(engine, model, stream(range(40 * 60), seed=2, mean=1.0), version="2")
    in_production(engine, model, "1", since=0)
    in_production(engine, model, "2", since=10 * 60, offset=1, traffic=0.66)
    result = rolled(engine, model, 40 * 60)
    assert (result.version, min(result.hours.approved)) == ("2", START + 10 * HOUR_MILLIS)


def test_too_little_says_what_is_missing(engine: Engine, model: ReferencedModel) -> None:
    """Under a day of approved hours there is none, and the reasons are counted."""
    assert "no version was counted" in rolled(engine, model, 60).why
    write(engine, model, stream(range(26 * 60)))
    open_incident(engine, model, first=5 * 60, until=8 * 60)
    result = rolled(engine, model, 26 * 60)
    assert result.profile is None
    assert result.why == "expected at least 24 approved hours in the last 7 days, found 22 (4 had an incident)"


def test_only_the_last_seven_days_count(engine: Engine, model: ReferencedModel) -> None:
    """Older hours do not count, and blocks beyond a day more are dropped."""
    hours = [*range(30), *range(7 * 24 - 10, 8 * 24)]
    panes = [minute for hour in hours for minute in stream(range(hour * 60, hour * 60 + 10), seed=hour)]
    write(engine, model, panes)
    keep(engine, model, 2 * DAY)
    keep(engine, model, 8 * DAY)
    result = rolled(engine, model, 8 * DAY)
    assert result.hours.approved == tuple(START + hour * HOUR_MILLIS for hour in hours if hour >= 24)
    keeper = LiveBlockKeeper(WATERMARKS)
    assert keeper.drop(engine, model.applied(engine), watermark=watermark_at(9 * DAY)) == 24 * 2
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(live_block)).scalar() == len(hours) * 2 - 48


def in_force(engine: Engine) -> tuple[int, int | None]:
    """The reference in force and its base."""
    with engine.connect() as connection:
        newest = sa.select(spec.c.reference_id).order_by(spec.c.version.desc()).limit(1).scalar_subquery()
        row = connection.execute(sa.select(reference.c.id, reference.c.base_id).where(reference.c.id == newest)).one()
    return row.id, row.base_id


def adopted(engine: Engine, model: ReferencedModel, minute: int, *, hours: float = 25.0) -> AdoptOutcome | None:
    """What is adopted as of *minute*, so many hours of wall clock from now."""
    now = now_millis() + int(hours * HOUR_MILLIS)
    applied = model.applied(engine)
    return adopt_rolling_when_due(engine, applied, watermark=watermark_at(minute), rules=WATERMARKS, now=now)


def rolling_model(engine: Engine) -> ReferencedModel:
    return apply_referenced_model(engine, profile_of(np.random.default_rng(0).normal(size=5000)), text=ROLLING_SPEC)


def test_a_frozen_reference_stays(engine: Engine, model: ReferencedModel) -> None:
    """By default nothing is adopted by itself, however good the hours are."""
    write(engine, model, stream(range(30 * 60)))
    assert adopted(engine, model, 30 * 60) is None
    assert in_force(engine) == (1, None)


def test_by_policy_it_is_adopted_when_the_last_one_is_a_day_old(engine: Engine) -> None:
    """Always on the frozen one's cells, each stored; with too few hours there is none; applying again changes nothing.

    ::

        wall clock      0 h    23 h    25 h    (adopted) 23 h    25 h
        approved hours  30     30      30                54      54
        adopted         -      -       first             -       second
    """
    model = rolling_model(engine)
    write(engine, model, stream(range(56 * 60)))
    assert adopted(engine, model, 20 * 60) is None
    assert adopted(engine, model, 30 * 60, hours=23) is None
    first = adopted(engine, model, 30 * 60)
    assert first is not None
    assert (first.new_cells, in_force(engine)) == (False, (2, 1))
    apply_referenced_model(
        engine, profile_of(np.random.default_rng(0).normal(size=5000)), text=ROLLING_SPEC + "sample_rate: 0.5\n"
    )
    assert in_force(engine) == (2, 1)
    assert adopted(engine, model, 54 * 60, hours=23) is None
    assert adopted(engine, model, 54 * 60) is not None
    assert in_force(engine) == (3, 1)
    with engine.connect() as connection:
        assert load_reference(connection, 2).rows == 30 * 60 * EVENTS
        assert load_reference(connection, 3).rows == 54 * 60 * EVENTS


def test_nothing_is_adopted_while_an_incident_is_open(engine: Engine) -> None:
    """An operator who investigates it finds the reference that opened it; adoption follows once it is resolved."""
    model = rolling_model(engine)
    write(engine, model, stream(range(40 * 60)))
    open_incident(engine, model, first=35 * 60, until=None)
    assert adopted(engine, model, 40 * 60) is None
    with engine.begin() as connection:
        connection.execute(sa.update(incident).values(status="resolved", resolved_end=START + 38 * HOUR_MILLIS))
    result = adopted(engine, model, 40 * 60)
    assert result is not None
    with engine.connect() as connection:
        assert load_reference(connection, result.reference_id).rows == (40 - 4) * 60 * EVENTS


def test_another_decision_that_came_between_stays(engine: Engine) -> None:
    """Built under a spec version that is no longer in force, it is dropped."""
    model = rolling_model(engine)
    write(engine, model, stream(range(30 * 60)))
    before = model.applied(engine)
    apply_referenced_model(
        engine, profile_of(np.random.default_rng(0).normal(size=5000)), text=ROLLING_SPEC + "sample_rate: 0.5\n"
    )
    now = now_millis() + 25 * HOUR_MILLIS
    result = adopt_rolling_when_due(engine, before, watermark=watermark_at(30 * 60), rules=WATERMARKS, now=now)
    assert result is None
    assert in_force(engine) == (1, None)


def test_windows_are_judged_with_it_and_say_so(engine: Engine) -> None:
    """The stream moved by half a sigma; after the adoption its windows are calm, under the new reference's id."""
    model = rolling_model(engine)
    write(engine, model, stream(range(32 * 60), mean=0.5))
    judge = evaluator()
    evaluate_until(engine, model, 30 * 60, judge)
    result = adopted(engine, model, 30 * 60)
    assert result is not None
    evaluate_until(engine, model, 32 * 60, judge)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(evaluation.c.window_end, evaluation.c.reference_id, evaluation.c.verdict).where(
                evaluation.c.length == 60
            )
        ).all()
    by_reference: dict[int, set[str]] = {}
    for row in rows:
        if row.window_end >= START + 2 * HOUR_MILLIS:
            by_reference.setdefault(row.reference_id, set()).add(row.verdict)
    assert by_reference[result.reference_id] == {"OK"}
    assert by_reference[result.previous_id] != {"OK"}


def test_the_role_keeps_blocks_and_adopts(engine: Engine) -> None:
    """One round of maintain: blocks are there although it compacts, and the rolling reference is in force."""
    model = rolling_model(engine)
    write(engine, model, stream(range(30 * 60)))
    evaluate_until(engine, model, 30 * 60, evaluator())
    now = START + 10**10
    with engine.begin() as connection:
        set_watermark(connection, watermark_at(30 * 60), now=now)
        connection.execute(sa.text("UPDATE input_offset SET heartbeat_at = clock_timestamp()"))
        connection.execute(sa.update(scale_progress).values(final_until=START + 30 * HOUR_MILLIS))
        connection.execute(sa.text("UPDATE spec SET applied_at = applied_at - interval '2 days'"))
    url = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    settings = Settings(database_url=url, allowed_lateness_seconds=300, disorder_seconds=60)
    Maintainer(engine, settings, Health()).round(stop=threading.Event())
    assert in_force(engine) == (2, 1)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(live_block)).scalar() == 30 * 12
        profile = load_reference(connection, 2)
    assert profile.columns[0].movement[10].status == "measured"
    assert to_datetime(profile.end or 0) < to_datetime(START + 30 * HOUR_MILLIS)

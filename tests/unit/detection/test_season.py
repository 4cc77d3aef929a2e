"""Columns that follow the hour of the day are compared with the same hours of the reference."""

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from monitor.detection import PreparedReference, WindowHours, prepare_reference
from monitor.reference.arrow_columns import numeric_column
from monitor.reference.build import build_profile
from monitor.reference.checks import disagreements
from monitor.reference.counting import counts_on_cells, numeric_places
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ReferenceProfile, decode_profile, encode_profile
from monitor.results import WindowResult
from monitor.season_clock import HOURS_OF_DAY, SeasonClock
from monitor.spec.model import ColumnKind, ColumnSpec, DriftSpec, ModelSpec, PredictionSpec, Task
from monitor.types import Season, Verdict
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.models.decided import decide_window

START = 1_780_272_000_000 // (24 * HOUR_MILLIS) * (24 * HOUR_MILLIS)
PER_MINUTE = 20
NAMES = ("cycles", "holds")


def _table(
    random: np.random.Generator, *, start: int, minutes: int, swing: float = 0.4, shift: float = 0.0
) -> pa.Table:
    times = np.repeat(start + np.arange(minutes) * MINUTE_MILLIS, PER_MINUTE)
    phase = 2 * np.pi * (times % (24 * HOUR_MILLIS)) / (24 * HOUR_MILLIS)
    return pa.table(
        {
            "at": pa.array(times, pa.timestamp("ms", tz="UTC")),
            "cycles": swing * np.sin(phase) + shift + random.normal(size=len(times)),
            "holds": random.normal(size=len(times)),
            "score": random.uniform(size=len(times)),
        }
    )


def _spec(seasonality: str = "auto") -> ModelSpec:
    return ModelSpec(
        model="m",
        task=Task.BINARY,
        reference="r",
        columns={name: ColumnSpec(kind=ColumnKind.NUMERIC) for name in NAMES},
        prediction=PredictionSpec(score=True),
        drift=DriftSpec.model_validate({"seasonality": seasonality}),
    )


@pytest.fixture(scope="module")
def reference() -> pa.Table:
    return _table(np.random.default_rng(1), start=START, minutes=7 * 24 * 60)


def _profile(table: pa.Table, clock: SeasonClock | None = HOURS_OF_DAY) -> ReferenceProfile:
    description = ReferenceDescription(
        features=tuple((name, ColumnKind.NUMERIC) for name in NAMES),
        score="score",
        timestamp="at",
        lengths=tuple(scale.length for scale in _spec().scales),
        clock=clock,
    )
    return build_profile(table, description=description, source="test")


def _judge(prepared: PreparedReference, spec: ModelSpec, table: pa.Table, *, scale: int) -> WindowResult:
    """Judge *table* as one window."""
    times = table["at"].cast(pa.int64()).to_numpy()
    middle = (int(times[0]) + int(times[-1]) + 1) // 2
    halves, hours = [], []
    for chosen in (times < middle, times >= middle):
        part = table.filter(pa.array(chosen))
        sources = {"cycles": "cycles", "holds": "holds", "prediction.score": "score"}
        counts = [
            counts_on_cells(column, numeric_places(column, numeric_column(part[sources[column.name]])))
            if column.name in sources
            else np.zeros(span.stop - span.start, dtype=np.int64)
            for column, span in zip(prepared.layout.columns, prepared.layout.spans, strict=True)
        ]
        halves.append(np.concatenate(counts))
        clock = HOURS_OF_DAY if prepared.seasonal is None else prepared.seasonal.clock
        hours.append(np.bincount(clock.hours(times[chosen]), minlength=24))
    chosen_scale = next(candidate for candidate in spec.scales if candidate.length == scale)
    return decide_window(
        prepared,
        scale=chosen_scale,
        first_half=halves[0],
        second_half=halves[1],
        events=len(times),
        hours=WindowHours(*hours),
    )


def test_only_the_column_that_follows_the_hour_is_compared_by_it(reference: pa.Table) -> None:
    """`auto` finds the cycle, and leaves a column without one to the whole, seven times larger, reference."""
    profile = _profile(reference)
    assert [column.seasonal for column in profile.columns] == [True, False, False, False]
    prepared = prepare_reference(_spec(), profile)
    assert prepared.seasonal is not None
    assert prepared.seasonal.columns.tolist() == [True, False, False, False]
    assert prepare_reference(_spec("none"), profile).seasonal is None
    every = prepare_reference(_spec("hour_of_day"), profile).seasonal
    assert every is not None
    assert every.columns.tolist() == [True, True, True, False]  # the latency has no reference
    assert prepare_reference(_spec("hour_of_week"), profile).seasonal is None  # the profile has no such hours


def test_an_hour_that_looks_like_itself_has_not_moved(reference: pa.Table) -> None:
    """At six in the morning the cycle is at its height: against the whole reference PSI 0.16, against its hours 0.

    ::

        reference  |~~~~|~~~~|~~~~|~~~~|~~~~|~~~~|~~~~|
        window                                            ^ one hour at the height of the eighth day
    """
    at_height = START + (7 * 24 + 6) * HOUR_MILLIS - 30 * MINUTE_MILLIS
    table = _table(np.random.default_rng(2), start=at_height, minutes=60)
    profile = _profile(reference)
    by_hour = _judge(prepare_reference(_spec(), profile), _spec(), table, scale=60).columns[0]
    whole = _judge(prepare_reference(_spec("none"), profile), _spec("none"), table, scale=60).columns[0]
    # 1200 events and 10 bins: sampling alone makes 9/1200 = 0.0075 on average
    assert by_hour.psi is not None
    assert by_hour.psi < 0.03
    assert whole.psi is not None
    assert whole.psi == pytest.approx(0.16, abs=0.06)


def test_a_shift_on_top_of_the_cycle_is_found_in_an_hour(reference: pa.Table) -> None:
    """Half a sigma in 1,200 events proves the warning against the same hours; the cycle hides it from the whole."""
    profile = _profile(reference)
    table = _table(np.random.default_rng(3), start=START + (7 * 24 + 15) * HOUR_MILLIS, minutes=60, shift=0.6)
    result = _judge(prepare_reference(_spec(), profile), _spec(), table, scale=60)
    assert result.verdict in (Verdict.WARNING, Verdict.ALERT)
    assert [finding.column for finding in result.findings if finding.endured] == ["cycles"]
    assert "compared with the same hours of the reference" in result.findings[0].sentence
    assert _judge(prepare_reference(_spec("none"), profile), _spec("none"), table, scale=60).verdict is Verdict.OK


@pytest.mark.parametrize(("zone", "verdict"), [("UTC", Verdict.WARNING), ("Europe/Berlin", Verdict.OK)])
def test_a_rhythm_of_people_goes_by_their_clock(zone: str, verdict: Verdict) -> None:
    """The reference is of summer, the window of the week after the clocks went back: at eight people wake up at eight.

    In hours of UTC everything comes an hour later than it did, which on the steep side of a day is a proven shift.
    """

    def table(start: str, minutes: int, *, ahead: int) -> pa.Table:
        """The load rises from 20 to 180 between seven and nine of the local time, *ahead* hours before UTC."""
        times = np.datetime64(start, "ms").astype(np.int64) + np.repeat(np.arange(minutes) * MINUTE_MILLIS, PER_MINUTE)
        local = (times / HOUR_MILLIS + ahead) % 24
        load = np.interp(local, [7, 9, 19, 23], [20, 180, 180, 20])
        random = np.random.default_rng(5)
        return pa.table(
            {
                "at": pa.array(times, pa.timestamp("ms", tz="UTC")),
                "cycles": load + random.normal(0, 10, size=len(times)),
                "holds": random.normal(size=len(times)),
                "score": random.uniform(size=len(times)),
            }
        )

    clock = SeasonClock(Season.HOUR_OF_DAY, zone)
    profile = _profile(table("2026-10-10", 14 * 24 * 60, ahead=2), clock=clock)
    assert profile.timezone == zone
    spec = _spec()
    # from 6 o'clock in UTC on, on the Monday after the last Sunday of October
    result = _judge(prepare_reference(spec, profile), spec, table("2026-10-26T06:00", 60, ahead=1), scale=60)
    assert result.verdict is verdict
    by_clock = spec.model_copy(update={"drift": DriftSpec(timezone=zone)})
    assert disagreements(by_clock, profile) == ()
    elsewhere = spec.model_copy(update={"drift": DriftSpec(timezone="Asia/Tokyo")})
    (problem,) = disagreements(elsewhere, profile)
    assert problem.startswith(f"drift.timezone: expected {zone}, in whose hours the reference was counted, found Asia/")


def test_an_unknown_time_zone_is_refused() -> None:
    """A typing error is no zone of its own, and none that falls back to UTC."""
    with pytest.raises(ValidationError, match="expected an IANA time zone such as Europe/Berlin or UTC, found 'Eu"):
        DriftSpec(timezone="Europe/Berlinn")


def test_hours_are_asked_for_where_they_matter(reference: pa.Table) -> None:
    """A caller that does not pass the hours of a window gets an error, not another comparison."""
    prepared = prepare_reference(_spec(), _profile(reference))
    counts = np.ones(prepared.layout.size, dtype=np.int64)
    with pytest.raises(ValueError, match="needs the hours"):
        decide_window(prepared, scale=_spec().scales[0], first_half=counts, second_half=counts, events=1000)


def test_a_reference_of_four_days_has_no_hours() -> None:
    """Under five days nobody knows what belongs to the hour and what to the day."""
    short = _table(np.random.default_rng(4), start=START, minutes=4 * 24 * 60)
    assert _profile(short).season is None
    assert _profile(short).hours is None


def test_hour_profiles_add_up_to_the_reference(reference: pa.Table) -> None:
    """Every row is counted in one hour, and encoding keeps the profile."""
    profile = _profile(reference)
    assert profile.hours is not None
    assert np.array_equal(profile.hours.sum(axis=0), profile.counts)
    assert decode_profile(encode_profile(profile), source="test") == profile
    assert _profile(reference, clock=None).season is None

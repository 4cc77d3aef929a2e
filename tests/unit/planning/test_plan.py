"""The whole plan of small models: scales that stay silent, columns that prove nothing, and what is advised."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from driftline.cli.plan import print_plan
from monitor.detection import prepare_reference
from monitor.errors import SpecError
from monitor.planning import Plan, Traffic, plan_of, reference_traffic
from monitor.planning.column_comparison import reference_sizes
from monitor.planning.results import MONTHS_A_YEAR
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ColumnMovement, ReferenceProfile
from monitor.season_clock import HOURS_OF_DAY
from monitor.spec.model import ColumnKind
from monitor.types import Verdict
from monitor.units import MINUTE_MILLIS
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, layout_of, prepared_of, profile_of, spec_of
from tests.unit.planning.windows import known_movement

SCALES = {"windows": {"scales": [{"length": "10m", "step": "1m"}, {"length": "24h", "step": "2h"}]}}
START = 1_780_272_000_000
DAY = 1440 * MINUTE_MILLIS


def table(rows: int = 20_000, *, columns: int = 3) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(46)
    names = [f"c{number}" for number in range(columns)] + ["prediction.score"]
    return {name: generator.normal(size=rows) for name in names}


def profile(
    rows: int = 20_000, *, days: float | None = None, **movement: dict[int, ColumnMovement]
) -> ReferenceProfile:
    values = table(rows)
    layout = layout_of(values)
    result = profile_of(layout, count(layout, values), **movement)
    if days is None:
        return result
    return ReferenceProfile(
        layout=result.layout,
        rows=result.rows,
        counts_bytes=result.counts_bytes,
        columns=result.columns,
        start=START,
        end=START + round(days * DAY),
    )


def planned(reference: ReferenceProfile, *, events_per_minute: float, **parts: Any) -> Plan:
    spec = spec_of(reference.layout, **(SCALES | parts))
    return plan_of(spec, reference, traffic=Traffic(events_per_minute=events_per_minute, source="test"))


def about(plan: Plan, key: str) -> str:
    return " ".join(f"{advice.problem} {advice.remedy}" for advice in plan.advice if advice.about == key)


def test_a_scale_that_can_never_conclude_is_named() -> None:
    """Three events a minute put 30 into ten minutes, which the deciding code calls inconclusive too; 24 h conclude."""
    plan = planned(profile(), events_per_minute=3)
    assert [(scale.scale, scale.events, scale.concludes) for scale in plan.scales] == [
        ("10m", 30, False),
        ("24h", 4320, True),
    ]
    assert "10m can never conclude: 30 events" in about(plan, "windows.scales")
    # 200 events take 66.7 minutes; windows are whole even minutes.
    assert "is 68m" in about(plan, "windows.scales")
    assert plan.false_alarms.evaluations == 360
    prepared, values = prepared_of(table()), {name: column[:30] for name, column in table().items()}
    counts = count(prepared.layout, values)
    nothing = np.zeros_like(counts)
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=nothing, events=30)
    assert result.verdict is Verdict.INCONCLUSIVE


def test_a_spec_of_which_nothing_concludes_says_so() -> None:
    """With 0.1 events a minute no window is ever judged: no false alarms, nothing detected, and a scale to add."""
    plan = planned(profile(), events_per_minute=0.1)
    assert "every window will be inconclusive" in about(plan, "windows.scales")
    assert plan.false_alarms.evaluations == 0
    assert all(column.minutes is None for shift in plan.shifts for column in (*shift.typical, *shift.worst))


def test_the_years_figure_has_accuracy_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One version may have half of the year's warning; none where nothing can be a finding of accuracy."""
    labelled = msgspec.structs.replace(profile(), correct=900, labelled=1000)
    alarms = planned(labelled, events_per_minute=100).false_alarms
    assert alarms.accuracy * MONTHS_A_YEAR == pytest.approx(0.5)
    assert alarms.quiet == alarms.no_change + alarms.accuracy
    print_plan(planned(labelled, events_per_minute=100))
    assert "together: drift, shares and accuracy" in capsys.readouterr().out
    assert planned(profile(), events_per_minute=100).false_alarms.accuracy == 0.0
    print_plan(planned(profile(), events_per_minute=100))
    assert "together" not in capsys.readouterr().out
    floor = {"accuracy": {"floor": 0.8}}
    assert planned(profile(), events_per_minute=100, **floor).false_alarms.accuracy > 0.0


def test_a_short_window_whose_ok_says_little_asks_for_more_events() -> None:
    """250 events prove a warning only from PSI 0.4 on: min_events should rise to what finds a critical column."""
    plan = planned(profile(), events_per_minute=25)
    ten = plan.scales[0]
    assert ten.concludes
    assert ten.column(ten.typical).blunt
    needed = next(need.events for need in ten.needed if (need.tier, need.psi) == ("warning", 0.3))
    assert f"raise min_events to {needed:,}" in about(plan, "windows.min_events")


def test_a_column_that_moves_by_itself_is_named_with_its_number() -> None:
    """Kappa 0.01 hides a critical PSI at ten minutes whatever the traffic; at 24 h, where it is still, it does not."""
    moving = {
        10: known_movement(kappa=0.01, nu=3.0),
        1440: known_movement(kappa=0.0, nu=9.0),
    }
    plan = planned(profile(c1=moving), events_per_minute=1000)
    ten, day = plan.scales
    assert (ten.worst, ten.column("c1").blunt, day.column("c1").blunt) == ("c1", True, False)
    assert f"proven only from {ten.column('c1').proven_from:.2f} at 10m on, whatever the traffic" in about(
        plan, "columns.c1"
    )
    assert f"{day.column('c1').proven_from:.2f} at 24h" in about(plan, "columns.c1")
    assert about(plan, "columns.c0") == ""


def test_a_scale_at_which_everything_moves_is_named() -> None:
    """Where the typical column itself hides a critical PSI, no number of events is asked for: the scale gets advice."""
    moving = {1440: known_movement(kappa=0.02, nu=3.0)}
    every: dict[str, Any] = {"c0": moving, "c1": moving, "c2": moving, "prediction.score": moving}
    plan = planned(profile(**every), events_per_minute=1000)
    assert "at 24h an OK says little" in about(plan, "windows.scales")
    assert "whatever the traffic" in about(plan, "windows.scales")
    assert about(plan, "windows.min_events") == ""


def test_the_reference_is_asked_for_time_and_length() -> None:
    """Without time stamps movement is unknown; 3 days do not measure 24 h, 6 would; a thin sample measures no 10 m."""
    assert "no time stamps" in about(planned(profile(), events_per_minute=100), "reference")
    short = planned(profile(days=3), events_per_minute=100)
    assert "3.0 days are too short" in about(short, "reference")
    assert "6 days measure 24h" in about(short, "reference")
    thin = planned(profile(rows=20_000, days=30), events_per_minute=100)
    # 20,000 rows in 30 days are 4.6 in ten minutes.
    assert "5 rows in 10m" in about(thin, "reference")


def test_a_small_reference_gets_advice_when_it_limits_longer_windows() -> None:
    """500 rows prove less than 5,000 would in a day of 144,000 events; 20,000 rows are not complained about."""
    plan = planned(profile(rows=500), events_per_minute=100)
    assert "500 rows limit what longer windows can prove" in about(plan, "reference")
    with_many = planned(profile(rows=100_000), events_per_minute=100)
    assert "limit" not in about(with_many, "reference")


def test_a_column_of_one_value_can_prove_nothing_by_psi() -> None:
    """A constant has a single bin; it is named, ranked last, and never typical or worst."""
    values = table(2000) | {"fixed": np.zeros(2000)}
    layout = layout_of(values)
    plan = planned(profile_of(layout, count(layout, values)), events_per_minute=100)
    assert "PSI can prove nothing of `fixed`" in about(plan, "columns")
    assert plan.scales[0].columns[-1].column == "fixed"
    assert plan.scales[0].columns[-1].proven_from is None


def test_segments_and_many_columns_cost_events() -> None:
    """Nine series share alpha: fewer events would do without them, and an even share of a segment is too small."""
    plan = planned(
        profile(), events_per_minute=30, segments=[{"tag": "region", "values": [f"r{i}" for i in range(30)]}]
    )
    assert plan.segments == 32
    assert "32 series share alpha" in about(plan, "segments")
    assert "an even one of 31 values has too few events at 10m" in about(plan, "segments")


def test_segments_that_cost_hardly_anything_are_not_mentioned() -> None:
    """Three series take 645 events instead of 591: under a tenth more, and nobody gives a segment up for that."""
    plan = planned(profile(), events_per_minute=100, segments=[{"tag": "vip", "values": ["yes"]}])
    assert plan.segments == 3
    assert about(plan, "segments") == ""


def test_a_model_without_judged_columns_is_refused() -> None:
    """A reference that counted nothing leaves nothing to plan."""
    layout = layout_of(table(100))
    empty = profile_of(layout, count(layout, table(100)))
    nothing = ReferenceProfile(
        layout=layout, rows=0, counts_bytes=np.zeros(layout.size, dtype="<i8").tobytes(), columns=empty.columns
    )
    with pytest.raises(SpecError, match="expected one to judge"):
        planned(nothing, events_per_minute=1)


def test_traffic_is_that_of_the_references_time() -> None:
    """20,001 rows in two days are 6.94 a minute; a reference without a time span has none."""
    result = reference_traffic(profile(rows=20_001, days=2))
    assert result is not None
    assert result.events_per_minute == pytest.approx(20_000 / 2880)
    assert reference_traffic(profile()) is None
    assert reference_traffic(profile(days=0)) is None


def test_a_column_that_follows_the_hour_is_compared_with_its_hours() -> None:
    """On a daily cycle an hour's window has a 24th of the reference to compare with, a day's window all of it."""
    rows, generator = 14 * 24 * 200, np.random.default_rng(49)
    times = START // DAY * DAY + np.arange(rows) * (14 * DAY // rows)
    values = generator.normal(size=rows) + 0.8 * np.sin(2 * np.pi * (times % DAY) / DAY)
    table = pa.table({"at": times, "daily": values, "still": generator.normal(size=rows), "score": np.full(rows, 0.5)})
    description = ReferenceDescription(
        features=(("daily", ColumnKind.NUMERIC), ("still", ColumnKind.NUMERIC)),
        score="score",
        timestamp="at",
        lengths=(60, 1440),
        clock=HOURS_OF_DAY,
    )
    reference = build_profile(table, description=description, source="test")
    windows = {"scales": [{"length": "1h", "step": "5m"}, {"length": "24h", "step": "2h"}]}
    prepared = prepare_reference(spec_of(reference.layout, windows=windows), reference)
    hour, day = (reference_sizes(prepared, minutes)[:2] for minutes in (60, 1440))
    assert hour == pytest.approx([rows / 24, rows], rel=0.01)
    assert day == pytest.approx([rows, rows], rel=0.01)
    plan = planned(reference, events_per_minute=100, windows=windows)
    daily = plan.scales[0].column("daily")
    assert daily.proven_from is not None
    # Without its hours the cycle would be natural movement, and hide a PSI of 0.5.
    assert daily.proven_from < 0.3


def test_a_column_watched_pane_by_pane_adds_its_run_length() -> None:
    """`rule: anytime` promises one false alarm in 1 / alpha' minutes: a month has 43,200 of them."""
    columns = {"c0": {"kind": "numeric", "rule": "anytime"}, "c1": {"kind": "numeric"}, "c2": {"kind": "numeric"}}
    quiet, watched = (
        planned(profile(), events_per_minute=100, **parts).false_alarms.no_change
        for parts in ({}, {"columns": columns})
    )
    alpha = planned(profile(), events_per_minute=100, columns=columns).alpha_of_one_test
    assert watched - quiet == pytest.approx(43_200 * alpha, rel=1e-6)

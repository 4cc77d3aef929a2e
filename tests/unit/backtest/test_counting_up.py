"""Buckets, tracks, scales and columns: what is counted from judged windows."""

import numpy as np
import pytest

from driftline.backtest.outcome import TextbookVerdict
from driftline.backtest.psi_history import BUCKETS_AT_MOST, PsiTracks, time_buckets
from driftline.backtest.report.counts import alarming_runs, column_parts, psi_tracks, scale_parts, segment_parts
from monitor.results import ColumnResult
from monitor.types import IncidentKind, InconclusiveReason, SeriesKey, Tier, Verdict
from tests.models.credit import START
from tests.unit.backtest.outcomes import (
    A_DAY,
    DAY,
    HOUR,
    MINUTE,
    ONE_HOUR,
    TEN_MINUTES,
    finding,
    incident,
    outcome,
    spec,
    step,
    window,
)


@pytest.mark.parametrize("days", [0.001, 0.3, 7, 31, 365, 4000])
def test_buckets_are_few_and_hold_every_moment(days: float) -> None:
    """At most 360 buckets of a round length, from before the first to after the last moment."""
    last = START + int(days * DAY)
    result = time_buckets(START, last)
    assert 1 <= result.count <= BUCKETS_AT_MOST
    assert result.start <= START
    assert result.start + result.count * result.millis > last
    assert result.start % result.millis == 0
    assert (DAY % result.millis == 0) or (result.millis % DAY == 0)


def test_what_ends_with_a_bucket_is_in_it() -> None:
    """
    ```text
    bucket     |-- 0 --|-- 1 --|
    end                x             an end at the border closes what came before it
    ```
    """
    result = time_buckets(START, START + 300 * MINUTE)
    assert (result.millis, result.count) == (MINUTE, 301)
    assert [result.of_end(START + at) for at in (1, MINUTE, MINUTE + 1, 2 * MINUTE)] == [0, 0, 1, 1]
    assert result.of_end(START + 400 * MINUTE) == 300


def test_a_track_keeps_the_largest_of_each_bucket() -> None:
    """Two windows of one bucket leave the larger numbers; a column that was not judged leaves a gap."""
    tracks = PsiTracks(time_buckets(START, START + 14 * DAY))
    size = tracks.buckets.millis

    def columns(psi: float, low: float | None) -> tuple[ColumnResult, ...]:
        return (ColumnResult(name="a", n=9, psi=psi, psi_low=low), ColumnResult(name="b", n=0))

    tracks.add("1", ONE_HOUR, end=START + 1, columns=columns(0.3, 0.1))
    tracks.add("1", ONE_HOUR, end=START + 2, columns=columns(0.2, None))
    tracks.add("1", ONE_HOUR, end=START + size + 1, columns=columns(0.05, None))
    assert tracks.psi("1", ONE_HOUR)[0, :2].tolist() == pytest.approx([0.3, 0.05])
    assert tracks.proven("1", ONE_HOUR)[0, 0] == pytest.approx(0.1)
    assert np.isnan(tracks.proven("1", ONE_HOUR)[0, 1])
    assert np.isnan(tracks.psi("1", ONE_HOUR)[1]).all()
    assert np.isnan(tracks.psi("1", ONE_HOUR)[0, 2:]).all()


def test_a_scale_shows_why_it_was_silent() -> None:
    """Judged, alarming and inconclusive windows add up; the scale without windows is there too."""
    windows = [
        window(1 * HOUR, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.FILLING, events=10, scale=ONE_HOUR),
        window(
            2 * HOUR, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.TOO_FEW_EVENTS, events=90, scale=ONE_HOUR
        ),
        window(3 * HOUR, scale=ONE_HOUR, events=500),
        window(4 * HOUR, scale=ONE_HOUR, events=700, verdict=Verdict.ALERT, findings=[finding(tier=Tier.ALERT)]),
        window(5 * HOUR, scale=ONE_HOUR, verdict=Verdict.OK, series=SeriesKey(1, "1", "region", "eu")),
    ]
    shortest, hour, day = scale_parts(outcome(windows=windows), spec())
    assert (shortest.windows, day.windows, shortest.first_judged) == (0, 0, None)
    assert (hour.windows, hour.judged, hour.alert, hour.warning) == (4, 2, 1, 0)
    assert hour.inconclusive == {"filling": 1, "too_few_events": 1}
    assert hour.typical_events == 90
    assert hour.first_judged == "2026-06-01T03:00:00Z"


def test_a_strip_shows_the_worst_window_of_each_stretch() -> None:
    """
    ```text
    bucket (1 h)    0   1   2   3   4   5
    day's window            |<- 2 h step    every bucket of its last step speaks of it
    hour's windows  o w     ?               the worst one wins, a gap stays a gap
    ```
    """
    windows = [
        window(HOUR // 2, scale=TEN_MINUTES, verdict=Verdict.OK),
        window(HOUR, scale=TEN_MINUTES, verdict=Verdict.WARNING),
        window(3 * HOUR, scale=TEN_MINUTES, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.TOO_FEW_EVENTS),
        window(4 * HOUR, scale=A_DAY, verdict=Verdict.CRITICAL),
    ]
    result = outcome(days=14.0, windows=windows)
    assert result.tracks.buckets.millis == HOUR
    shortest, _, day = scale_parts(result, spec())
    assert shortest.strip[:5] == "w.?.."
    assert day.strip[:5] == "..cc."
    assert len(shortest.strip) == result.tracks.buckets.count


def test_an_alarm_is_a_run_of_alarming_windows() -> None:
    """
    ```text
    10 m     w w ? w o a        2 runs: an inconclusive window ends none
    1 h      . w . . . .        1 run of its own
    ```
    """
    bad, good, none = Verdict.WARNING, Verdict.OK, Verdict.INCONCLUSIVE
    verdicts = [
        (window(at * MINUTE), verdict) for at, verdict in enumerate((bad, bad, none, bad, good, Verdict.ALERT), 1)
    ]
    assert alarming_runs([*verdicts, (window(2 * MINUTE, scale=ONE_HOUR), bad)]) == 3


def test_columns_are_blamed_by_what_they_caused() -> None:
    """What opened incidents leads; then alarming windows; the textbook's columns are there with its own count."""
    raised = incident(
        step(HOUR, "opened", Tier.WARNING, findings=[finding("age"), finding("amount")]),
        step(2 * HOUR, "escalated", Tier.ALERT, findings=[finding("amount", tier=Tier.ALERT), finding("age")]),
    )
    word = TextbookVerdict(verdict=Verdict.WARNING, columns=("country", "age"))
    windows = [
        window(HOUR, verdict=Verdict.WARNING, findings=[finding("amount"), finding("age")], textbook=word),
        window(2 * HOUR, verdict=Verdict.ALERT, findings=[finding("amount", tier=Tier.ALERT)], textbook=word),
    ]
    result = outcome(windows=windows, incidents=[raised], psi=[(HOUR, "amount", 0.4, 0.2), (DAY, "amount", 0.9, None)])
    parts = column_parts(result, monitored=frozenset({"amount", "age", "country"}))
    assert [(part.name, part.led, part.incidents, part.windows, part.textbook_windows) for part in parts] == [
        ("age", 1, 1, 1, 2),
        ("amount", 0, 1, 2, 0),
        ("country", 0, 0, 0, 2),
    ]
    by_name = {part.name: part for part in parts}
    assert (by_name["amount"].tier, by_name["country"].tier) == ("alert", "none")
    # The proven 0.2 of a PSI of 0.4 says more than the unproven 0.9 of another bucket.
    assert (by_name["amount"].psi, by_name["amount"].proven_psi, by_name["amount"].psi_scale) == (0.4, 0.2, "1h")


def test_the_columns_that_are_drawn_are_those_that_drifted() -> None:
    """A column that opened a drift incident is first, a broken field's PSI is not what is wrong with it."""
    drifted = incident(step(HOUR, "opened", Tier.WARNING, findings=[finding("age")], length=60))
    broken = incident(
        step(HOUR, "opened", Tier.WARNING, findings=[finding("country", kind=IncidentKind.DATA_QUALITY)], length=60),
        kind=IncidentKind.DATA_QUALITY,
    )
    names = ("country", "amount", "age", "shown only")
    result = outcome(incidents=[broken, drifted])
    columns = tuple(
        ColumnResult(name=name, n=9, psi=psi, psi_low=low)
        for name, psi, low in zip(names, (0.01, 0.5, 0.3, 9.0), (None, 0.4, 0.2, 8.0), strict=True)
    )
    result.tracks.add("1", ONE_HOUR, end=START + HOUR, columns=columns)
    tracks = psi_tracks(result, monitored=frozenset(names[:3]))
    assert [track.column for track in tracks] == ["age", "amount", "country"]
    assert (tracks[0].psi[0], tracks[0].proven[0], tracks[0].psi[1]) == (0.3, 0.2, None)


def test_segments_are_counted_by_themselves() -> None:
    """Windows of tags' values are in no scale's numbers but in their own."""
    eu, us = SeriesKey(1, "1", "region", "eu"), SeriesKey(1, "2", "region", "us")
    result = outcome(
        windows=[
            window(HOUR, series=eu, verdict=Verdict.WARNING),
            window(2 * HOUR, series=eu, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.TOO_FEW_EVENTS),
            window(HOUR, series=us),
            window(HOUR),
        ]
    )
    assert [(part.value, part.windows, part.judged, part.alarming) for part in segment_parts(result)] == [
        ("eu", 2, 1, 1),
        ("us", 1, 1, 0),
    ]

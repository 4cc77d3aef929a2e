"""The peers judge the windows that they are given, and find there what anybody would."""

from pathlib import Path

import pytest

from benchmarks.detection.movement import Movement
from benchmarks.detection.peer_run import read_alarms, run_peers, write_stream
from benchmarks.detection.recipe import START, Happening, Recipe, make_stream
from benchmarks.detection.stream import HOUR, ChangeKind
from benchmarks.detection.traffic import Traffic

COARSE = {"river, ADWIN", "river, Page-Hinkley", "river, KSWIN (1 in 50)"}  # they look for a moment, not at windows


@pytest.mark.slow
def test_every_peer_judges_every_window_and_sees_a_shift_of_two_sigma(peers_python: Path, tmp_path: Path) -> None:
    """
    hour      24   25   26   27   28        each 3,000 events of 3 columns
    windows      1    2    3    4
    change            ^ c?? + 2 sigma, somewhere in the second hour
    flagged      .    ?    X    X
    """
    assert peers_python.exists()
    recipe = Recipe(
        name="two sigma",
        columns=3,
        traffic=Traffic(per_minute=50.0),
        movement=Movement(wander=0.02),
        happening=Happening(kind=ChangeKind.SHIFT, size=2.0, after_hours=1.0),
        reference_days=1.0,
        current_days=4 / 24,
    )
    stream = make_stream(recipe, reference_seed=1, current_seed=1)
    assert stream.change is not None
    ends = write_stream(stream, tmp_path / "stream", length=HOUR, time_reports=True)
    assert ends == tuple(START + hour * HOUR for hour in (25, 26, 27, 28))
    run_peers(tmp_path)
    answer = read_alarms(tmp_path / "stream", ends)
    assert len(answer.judged) == 12
    for peer in answer.judged:
        assert [alarm.end for alarm in peer.alarms] == list(ends)
        assert peer.cpu_seconds > 0
        if peer.peer not in COARSE:
            for alarm in peer.alarms[2:]:
                assert stream.change.columns[0] in alarm.columns, peer.peer
    assert all(seconds > 0 for seconds in answer.report_cpu_seconds)
    [evidently] = [peer for peer in answer.judged if peer.peer == "evidently"]
    assert evidently.alarms[0].columns == ()

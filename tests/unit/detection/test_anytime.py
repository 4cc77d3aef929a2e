"""Columns of `rule: anytime` are watched pane by pane in windows of the shortest scale."""

import numpy as np
import numpy.typing as npt

from monitor.detection import PreparedReference, watches_panes
from monitor.results import WindowResult
from monitor.types import Scale, Tier
from tests.models.decided import decide_window
from tests.unit.detection.streams import count, prepared_of

TEN, HOUR = Scale(10, 1), Scale(60, 5)
SCALES = {"scales": [{"length": "10m", "step": "1m"}, {"length": "1h", "step": "5m"}]}
COLUMNS = {"watched": {"kind": "numeric", "rule": "anytime"}, "plain": {"kind": "numeric"}}


def prepared(**parts: object) -> PreparedReference:
    table = {name: np.random.default_rng(seed).normal(size=20_000) for seed, name in enumerate(("plain", "watched"))}
    return prepared_of(table, windows=SCALES, **{"columns": COLUMNS, **parts})


def panes_of(
    prepared: PreparedReference, seed: int, *, shift: float, panes: int = 10, events: int = 100
) -> list[npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return [
        count(
            prepared.layout, {"plain": random.normal(shift, size=events), "watched": random.normal(shift, size=events)}
        )
        for _ in range(panes)
    ]


def judged(prepared: PreparedReference, panes: list[npt.NDArray[np.int64]], scale: Scale = TEN) -> WindowResult:
    half = len(panes) // 2
    first, second = np.sum(panes[:half], axis=0), np.sum(panes[half:], axis=0)
    return decide_window(
        prepared, scale=scale, first_half=first, second_half=second, events=100 * len(panes), panes=panes
    )


def test_a_sigma_is_detected_in_two_panes_that_no_window_can_prove() -> None:
    """One sigma in the last two of ten panes: the watched column is a finding, the same change of the plain one is not.

    ::

        reference level |----------------| one sigma |--|
        window          |p p p p p p p p  p p|
                                          ^^^ both in the second half: no half-wise endurance
    """
    result = prepared()
    detected = 0
    for seed in range(20):
        panes = [*panes_of(result, seed, shift=0.0, panes=8), *panes_of(result, 100 + seed, shift=1.0, panes=2)]
        endured = [finding for finding in judged(result, panes).findings if finding.endured]
        assert {finding.column for finding in endured} <= {"watched"}
        detected += bool(endured)
        for finding in endured:
            assert (finding.statistic, finding.tier) == ("anytime", Tier.WARNING)
            assert finding.value >= finding.threshold
            assert "a lasting change is proven pane by pane" in finding.sentence
    assert detected >= 16  # median delay is two panes


def test_a_quiet_column_is_quiet() -> None:
    """Two hundred windows without a change: no finding, and the window is calm."""
    outcome = prepared()
    for seed in range(200):
        result = judged(outcome, panes_of(outcome, seed, shift=0.0))
        assert not result.findings
        assert result.calm_below == (True, True, True)


def test_while_the_change_lasts_the_window_is_not_calm() -> None:
    """A finding of the watched column keeps its incident open even where PSI is under the closing threshold."""
    outcome = prepared()
    panes = [*panes_of(outcome, 1, shift=0.0, panes=8), *panes_of(outcome, 2, shift=1.3, panes=2)]
    result = judged(outcome, panes)
    assert [finding.statistic for finding in result.findings] == ["anytime"]
    assert result.calm_below is not None
    assert not result.calm_below[0]


def test_a_column_has_one_finding() -> None:
    """Where PSI proves the change of the whole window, PSI is the finding, for it can be acted on."""
    outcome = prepared()
    result = judged(outcome, panes_of(outcome, 3, shift=1.5))
    assert sorted((finding.column, finding.statistic) for finding in result.findings) == [
        ("plain", "psi"),
        ("watched", "psi"),
    ]


def test_only_the_shortest_scale_is_watched_and_never_by_the_textbook_rule() -> None:
    """Longer windows hold the same panes again; the textbook rule has no such thing."""
    result = prepared()
    assert watches_panes(result, TEN)
    assert not watches_panes(result, HOUR)
    assert not watches_panes(prepared(drift={"rule": "textbook"}), TEN)
    assert not watches_panes(prepared(columns={name: {"kind": "numeric"} for name in COLUMNS}), TEN)

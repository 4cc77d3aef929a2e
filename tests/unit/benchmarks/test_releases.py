"""Generated release histories: the guard's promises hold in each, and the page says what the command counted."""

import math

import msgspec
import pytest
from scipy.stats import binom

from alerting.actions.reasons import LABELLED_GROUNDS, Ground
from benchmarks.releases.__main__ import PUBLISHED_SEED, RESULT, played
from benchmarks.releases.generate import release_of
from benchmarks.releases.outcome import KindRow, Summary, history_of, summary_of
from benchmarks.releases.page import PAGE, with_figures
from benchmarks.releases.play import play
from benchmarks.releases.release import Kind, Mode
from monitor.types import ActionKind

PUBLISHED = msgspec.json.decode(RESULT.read_bytes(), type=Summary)


@pytest.fixture(scope="module")
def sample() -> Summary:
    """The first of the published histories."""
    return summary_of(played(300, seed=PUBLISHED_SEED), seed=PUBLISHED_SEED)


def test_no_version_that_is_not_worse_is_rolled_back(sample: Summary) -> None:
    """Of any kind of history, on two keys."""
    assert {row.name: row.wrong for row in sample.kinds if row.wrong} == {}


def test_bad_versions_are_rolled_back_as_often_as_published(sample: Summary) -> None:
    """Within what chance does: a guard that got blunt, or a page that is of another guard, does not pass."""
    for published, here in zip(PUBLISHED.kinds, sample.kinds, strict=True):
        assert abs(here.rolled_back_worse - here.worse * _share(published)) <= _chance(here.worse, _share(published))


def test_retrainings_keep_their_budget(sample: Summary) -> None:
    """`max_per_month` is 3."""
    assert sample.retrainings
    assert sample.most_a_month <= 3


def test_the_published_run_has_ten_thousand_histories_and_no_wrong_rollback() -> None:
    """What the README says."""
    assert (PUBLISHED.histories, PUBLISHED.wrong, PUBLISHED.seed) == (10_000, 0, PUBLISHED_SEED)
    assert min(row.histories for row in PUBLISHED.kinds) >= 50


def test_the_page_shows_the_published_run() -> None:
    """`make bench-releases BENCH_ARGS=--write` repairs it."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_figures(page, PUBLISHED) == page
    assert with_figures(page.replace("10,000 histories", "20,000 histories"), PUBLISHED) == page


def test_a_history_is_the_same_whenever_it_is_played() -> None:
    """Whatever was played before it."""
    first = history_of(play(release_of(17, seed=3)))
    history_of(play(release_of(4, seed=3)))
    assert history_of(play(release_of(17, seed=3))) == first


def test_a_rollback_of_a_version_that_is_not_worse_is_counted() -> None:
    """The truth is turned round after the fact: what was right is wrong then, so the count can fail."""
    indices = range(10_000)
    index = next(
        index
        for index in indices
        if release_of(index, seed=5).kind is Kind.CLEARLY_BAD
        and history_of(play(release_of(index, seed=5))).rolled_back is not None
    )
    release = release_of(index, seed=5)
    assert history_of(play(release)).wrong == 0
    release = release_of(index, seed=5)
    release.cannot_serve = frozenset({"1"})
    assert history_of(play(release)).wrong == 1


def test_one_key_rolls_back_what_two_keys_ask_people_about() -> None:
    """The generator does make the evidence that a guard of one key falls for: of the same recalibrated version."""
    for index in (index for index in range(1000) if release_of(index, seed=5).kind is Kind.RECALIBRATED):
        one, two = (rollback_grounds(index, mode) for mode in (Mode.ONE_KEY, Mode.AUTO))
        assert not set(two) & LABELLED_GROUNDS
        if one and two:
            assert set(one) == {Ground.CRITICAL_ALONE}
            return
    pytest.fail("no recalibrated version asked for anything")


def rollback_grounds(index: int, mode: Mode) -> list[str]:
    release = release_of(index, seed=5)
    release.mode = mode
    return [action.row.reason for action in play(release).asked if action.row.kind is ActionKind.ROLLBACK]


def _share(row: KindRow) -> float:
    return row.rolled_back_worse / row.worse if row.worse else 0.0


def _chance(n: int, share: float) -> float:
    """Return how far a count of *n* with the probability *share* lies from its mean at most, but once in 100,000."""
    low, high = binom.interval(1.0 - 1e-5, n, share) if 0.0 < share < 1.0 and n else (n * share, n * share)
    return max(math.ceil(n * share - low), math.ceil(high - n * share))

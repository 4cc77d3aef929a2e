"""A stream of the detection benchmark through the backtest's path: what was done to it is what is found."""

from collections.abc import Iterator

import pytest

from benchmarks.detection.concept import Truths
from benchmarks.detection.judge import close_database, judge
from benchmarks.detection.model import profile_of, spec_of
from benchmarks.detection.recipe import Happening, Recipe, make_stream
from benchmarks.detection.run import run_of
from benchmarks.detection.stream import ChangeKind, Stream

SHIFT = Happening(kind=ChangeKind.SHIFT, size=1.5, after_hours=1.0)


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    """The process's Postgres ends with the module."""
    yield
    close_database()


def stream_of(happening: Happening | None, *, truths: Truths | None = None) -> Stream:
    """Return a stream of three columns, a day of reference and three hours after it."""
    recipe = Recipe(
        name="small", columns=3, happening=happening, reference_days=1.0, current_days=3 / 24, truths=truths
    )
    return make_stream(recipe, reference_seed=1, current_seed=1)


def test_a_shift_is_found_by_both_rules_and_named_first() -> None:
    """1.5 sigma are detected within 1,000 events, as drift of the column that was shifted; nothing before."""
    stream = stream_of(SHIFT)
    spec = spec_of(stream)
    rules = judge(spec, profile_of(stream, spec), stream, textbook=True)
    run = run_of(stream, rules.default)
    assert run.change_result is not None
    assert run.change_result.warning_events <= 1000
    assert run.change_result.alert_events <= 2000
    assert run.change_result.typed
    assert run.change_result.named_first
    assert run.false_alarms == ()
    assert run.evaluations > 180  # 180 minutes of the 10 minute scale, less what has too few events, and other scales
    assert rules.textbook is not None
    assert stream.change is not None
    assert stream.change.columns[0] in rules.textbook.alarms[60][-1].columns
    hours = rules.default.alarms[60]
    assert len(hours) == 2  # the third ends with the history, a minute past the watermark
    assert hours[0].columns == ()


def test_errors_are_found_in_the_minute_in_which_their_truths_are_known() -> None:
    """One in two wrong, known half an hour later: a performance incident within 500 truths, and no drift."""
    stream = stream_of(Happening(kind=ChangeKind.ERRORS, size=0.5, after_hours=0.5), truths=Truths())
    spec = spec_of(stream)
    run = run_of(stream, judge(spec, profile_of(stream, spec), stream).default)
    assert run.change_result is not None
    assert run.change_result.warning_events <= 500
    assert run.change_result.typed
    assert run.change_result.episodes == 1


def test_a_second_change_is_named_by_a_message_of_its_own() -> None:
    """
    hour      24       25          26            27            28
              quiet    c?? +1.5 sigma (lasts)    c?? +1.5 sigma of another column
    """
    recipe = Recipe(
        name="small",
        columns=3,
        happening=SHIFT,
        second=Happening(kind=ChangeKind.SHIFT, size=1.5, after_hours=1.0),
        reference_days=1.0,
        current_days=5 / 24,
    )
    stream = make_stream(recipe, reference_seed=1, current_seed=1)
    spec = spec_of(stream)
    judged = judge(spec, profile_of(stream, spec), stream).default
    run = run_of(stream, judged)
    assert stream.change is not None
    assert run.change_result is not None
    assert run.change_result.named_first
    assert run.messages == sum(len(episode.messages) for episode in judged.episodes) > 0
    first = judged.episodes[0].messages[0]
    assert (first.at, first.columns[0], first.resolved) == (
        judged.episodes[0].opened, stream.change.columns[0], False,
    )  # fmt: skip
    assert run.second_result is not None


def test_a_fall_of_the_accuracy_is_notified_of() -> None:
    """From 0.9 to 0.3 at the second hour, truths half an hour later: a message of it, about the fallen accuracy."""
    recipe = Recipe(
        name="small", columns=3, truths=Truths(phases=((1.0, 0.9), (3.0, 0.3))), reference_days=1.0, current_days=4 / 24
    )
    stream = make_stream(recipe, reference_seed=1, current_seed=1)
    spec = spec_of(stream)
    run = run_of(stream, judge(spec, profile_of(stream, spec), stream).default)
    assert run.false_alarms == ()
    [result] = run.fall_results
    assert result.notified
    assert result.last_accuracy == 0.3

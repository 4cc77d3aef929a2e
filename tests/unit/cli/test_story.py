"""The demo's story: the same at each run, and what each act claims is in the events."""

import json
from itertools import islice

import numpy as np
import pytest

from driftline.demo.acts import BAD, MODEL, RECALIBRATED, STABLE, time_line
from driftline.demo.population import INCOME_SPREAD, income_fall, labels, stable_score
from driftline.demo.run import SEED, STORY_START
from driftline.demo.story import CANARY_SHARE, DEPLOYMENTS, Story, reference_table, story_records, write_story
from monitor.types import TopicRole
from monitor.units import DAY_MILLIS, HOUR_MILLIS

LINE = time_line(STORY_START)


@pytest.fixture(scope="module")
def story() -> Story:
    return write_story(LINE, seed=SEED)


def test_the_same_seed_writes_the_same_story(story: Story) -> None:
    """Two writings give equal bytes; another seed gives others."""
    again, other = (list(islice(story_records(write_story(LINE, seed=seed)), 5000)) for seed in (SEED, SEED + 1))
    first = list(islice(story_records(story), 5000))
    assert first == again
    assert first != other
    assert reference_table(LINE, seed=SEED).equals(reference_table(LINE, seed=SEED))


def test_events_are_in_order_of_time_and_inside_the_budget(story: Story) -> None:
    """One prediction and one truth each, the deployments, in order, 250,000 events at most."""
    records = list(story_records(story))
    times = [record.at for record in records]
    assert times == sorted(times)
    assert len(records) == 2 * story.predictions + DEPLOYMENTS <= 250_000
    deployments = [json.loads(record.value) for record in records if record.role is TopicRole.DEPLOYMENTS]
    assert [(event["version"], event["stage"]) for event in deployments] == [
        (STABLE, "production"),
        (RECALIBRATED, "canary"),
        (RECALIBRATED, "retired"),
        (BAD, "canary"),
    ]
    assert records[0].role is TopicRole.DEPLOYMENTS
    assert {json.loads(record.value)["model"] for record in records[:100]} == {MODEL}
    keys = [record.key for record in records if record.role is TopicRole.PREDICTIONS]
    assert len(set(keys)) == len(keys) == story.predictions
    truths = {record.key for record in records if record.role is TopicRole.TRUTHS}
    assert truths == set(keys)


def test_incomes_fall_slowly_and_come_back(story: Story) -> None:
    """Nothing before act 2, 1.1 spreads at its plateau, nothing from act 3 on; the events show it."""
    moments = np.array([LINE.ramp_start, LINE.ramp_end, LINE.fade_start, LINE.fade_end, LINE.end])
    assert income_fall(moments, LINE).tolist() == [0.0, 1.1, 1.1, 0.0, 0.0]
    plateau = (story.who.times >= LINE.ramp_end) & (story.who.times < LINE.fade_start)
    healthy = story.who.times < LINE.acts[0].end
    fall = np.log(story.who.income[healthy]).mean() - np.log(story.who.income[plateau]).mean()
    assert fall / INCOME_SPREAD == pytest.approx(1.1, abs=0.05)  # standard error 0.015


def test_the_field_is_broken_for_hours_and_only_then(story: Story) -> None:
    """Every income in the break is missing or text, every other one a number."""
    broken = (story.who.times >= LINE.break_start) & (story.who.times < LINE.break_end)
    kinds = [type(value) for value in story.income]
    assert {kind for kind, inside in zip(kinds, broken, strict=True) if inside} == {type(None), str}
    assert {kind for kind, inside in zip(kinds, broken, strict=True) if not inside} == {float}
    assert LINE.break_end - LINE.break_start == 8 * HOUR_MILLIS


def test_the_recalibrated_canary_decides_like_the_stable_version(story: Story) -> None:
    """3.3.0 serves its share of two days, gives every label that 3.2.0 would, and scores further from the threshold."""
    serves = (story.who.times >= LINE.recalibrated_start) & (story.who.times < LINE.recalibrated_end)
    own = story.version == RECALIBRATED
    assert not own[~serves].any()
    assert own[serves].mean() == pytest.approx(CANARY_SHARE, abs=0.02)
    before = stable_score(story.who, income_known=np.ones(story.predictions, dtype=bool))[own]
    assert (labels(story.score[own]) == labels(before)).all()
    clear = np.abs(before - 0.5) > 1e-3
    assert (np.abs(story.score[own] - 0.5) > np.abs(before - 0.5))[clear & (before > 1e-3) & (before < 0.999)].all()


def test_the_bad_canary_is_worse_on_the_same_people(story: Story) -> None:
    """3.4.0 serves its share from its start on, is right much less often, and its inputs are those of 3.2.0."""
    act = story.who.times >= LINE.bad_start
    own, stable = story.version == BAD, story.version == STABLE
    assert not own[~act].any()
    assert own[act].mean() == pytest.approx(CANARY_SHARE, abs=0.02)
    assert story.correct[own].mean() < 0.6
    assert story.correct[~own].mean() > 0.8
    means = [np.log(story.who.income[act & side]).mean() for side in (own, stable)]
    assert means[0] == pytest.approx(means[1], abs=0.06)  # three standard errors


def test_events_say_what_each_version_decided(story: Story) -> None:
    """The label of every prediction is what its score means; three versions predict."""
    predictions = [json.loads(record.value) for record in story_records(story) if record.role is TopicRole.PREDICTIONS]
    assert {event["version"] for event in predictions} == {STABLE, RECALIBRATED, BAD}
    assert all(
        event["prediction"]["label"] == ("default" if event["prediction"]["score"] >= 0.5 else "repaid")
        for event in predictions
    )


def test_truths_come_about_a_day_late(story: Story) -> None:
    """Every truth is known between half a day and a day and a half after its prediction."""
    delay = story.known_at - story.who.times
    assert delay.min() > DAY_MILLIS // 2
    assert delay.max() < 3 * DAY_MILLIS // 2

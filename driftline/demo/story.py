"""The story as data: the reference's table, and every event in the order in which it is sent; the same at each run."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from driftline.demo.acts import BAD, MODEL, RECALIBRATED, STABLE, TimeLine
from driftline.demo.population import (
    Applicants,
    bad_score,
    draw_applicants,
    labels,
    outcomes,
    recalibrated_score,
    stable_score,
)
from driftline.replay.events import TimedRecord, in_event_time
from monitor.arrays import Float64s, Int64s, Mask, Strings
from monitor.clock import iso_utc
from monitor.types import Stage, TopicRole
from monitor.units import DAY_MILLIS, HOUR_MILLIS

CANARY_SHARE = 0.14
DEPLOYMENTS = 4
FEATURES = ("income", "debt_ratio", "age", "loan_amount", "history_months", "purpose", "region", "employment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that happens; one row per prediction, in order of time.

    Attributes:
        version: The one that made the prediction.
        income: What the event carries: a number, None, or a text where the field is broken.
        known_at: When each outcome becomes known (epoch ms), about a day after the prediction.
    """

    line: TimeLine
    who: Applicants
    version: Strings
    income: tuple[float | str | None, ...]
    score: Float64s
    outcome: Strings
    known_at: Int64s

    @property
    def predictions(self) -> int:
        return len(self.who.times)

    @property
    def correct(self) -> Mask:
        """Whether each prediction came true."""
        return np.asarray(labels(self.score) == self.outcome, dtype=np.bool_)


def reference_table(line: TimeLine, *, seed: int) -> pa.Table:
    """Return the two weeks before the story: features, prediction, outcome and time of each application."""
    random = np.random.default_rng([seed, 0])
    who = draw_applicants(random, start=line.reference_start, end=line.start, line=line)
    score = stable_score(who, income_known=np.ones(len(who.times), dtype=bool))
    columns: dict[str, object] = {name: getattr(who, name) for name in FEATURES}
    columns |= {"score": score, "decision": labels(score), "outcome": outcomes(random, who)}
    columns["at"] = pa.array(who.times, pa.timestamp("ms", tz="UTC"))
    return pa.table(columns)


def write_story(line: TimeLine, *, seed: int) -> Story:
    """Return the story; the same line and seed give the same one."""
    random = np.random.default_rng([seed, 1])
    who = draw_applicants(random, start=line.start, end=line.end, line=line)
    count = len(who.times)
    version = _versions(who.times, line, to_canary=random.random(count) < CANARY_SHARE)
    broken = (who.times >= line.break_start) & (who.times < line.break_end)
    as_text = random.random(count) < 0.5
    income = tuple(
        value if not is_broken else ("n/a" if text else None)
        for value, is_broken, text in zip(who.income.tolist(), broken.tolist(), as_text.tolist(), strict=True)
    )
    delay = (DAY_MILLIS + random.normal(0, HOUR_MILLIS, count)).astype(np.int64)
    return Story(
        line=line,
        who=who,
        version=version,
        income=income,
        score=np.select(
            [version == RECALIBRATED, version == BAD],
            [recalibrated_score(who), bad_score(who)],
            stable_score(who, income_known=~broken),
        ),
        outcome=outcomes(random, who),
        known_at=who.times + delay,
    )


def _versions(times: Int64s, line: TimeLine, *, to_canary: Mask) -> Strings:
    """Return who predicts: the canary that serves at the time, if one does, for those that go *to_canary*."""
    recalibrated = (times >= line.recalibrated_start) & (times < line.recalibrated_end)
    return np.select([to_canary & recalibrated, to_canary & (times >= line.bad_start)], [RECALIBRATED, BAD], STABLE)


def story_records(story: Story) -> Iterator[TimedRecord]:
    """Yield every event in order of time: deployments, predictions, truths as they become known."""
    return in_event_time(_deployments(story.line), _predictions(story), _truths(story))


def _deployments(line: TimeLine) -> Iterator[TimedRecord]:
    commits = {STABLE: "a1b2c3d4", RECALIBRATED: "e5f6a7b8", BAD: "c9d0e1f2"}
    for at, version, stage, traffic in (
        (line.start - DAY_MILLIS, STABLE, Stage.PRODUCTION, 1.0),
        (line.recalibrated_start, RECALIBRATED, Stage.CANARY, CANARY_SHARE),
        (line.recalibrated_end, RECALIBRATED, Stage.RETIRED, 0.0),
        (line.bad_start, BAD, Stage.CANARY, CANARY_SHARE),
    ):
        manifest = {"code_commit": commits[version], "hyperparameters": {"l2": 0.1}}
        event = {
            "model": MODEL,
            "version": version,
            "timestamp": iso_utc(at),
            "stage": stage.value,
            "traffic": traffic,
            "manifest": manifest,
        }
        yield TimedRecord(at, TopicRole.DEPLOYMENTS, MODEL, msgspec.json.encode(event))


def _predictions(story: Story) -> Iterator[TimedRecord]:
    who = story.who
    features = [story.income, *(getattr(who, name).tolist() for name in FEATURES[1:])]
    rows = zip(
        who.times.tolist(),
        story.version.tolist(),
        story.score.tolist(),
        labels(story.score).tolist(),
        zip(*features, strict=True),
        strict=True,
    )
    for number, (at, version, score, label, values) in enumerate(rows):
        key = _identity(number)
        event = {
            "prediction_id": key,
            "model": MODEL,
            "version": version,
            "timestamp": at,
            "features": dict(zip(FEATURES, values, strict=True)),
            "prediction": {"score": score, "label": label},
        }
        yield TimedRecord(at, TopicRole.PREDICTIONS, key, msgspec.json.encode(event))


def _truths(story: Story) -> Iterator[TimedRecord]:
    times, outcome = story.who.times, story.outcome
    for number in np.argsort(story.known_at, kind="stable").tolist():
        at, key = int(story.known_at[number]), _identity(number)
        event = {
            "prediction_id": key,
            "model": MODEL,
            "timestamp": at,
            "prediction_timestamp": int(times[number]),
            "truth": str(outcome[number]),
        }
        yield TimedRecord(at, TopicRole.TRUTHS, key, msgspec.json.encode(event))


def _identity(number: int) -> str:
    return f"application-{number:06d}"

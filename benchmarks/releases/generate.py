"""Generates release histories: which kind comes how often, and the plain release that a kind then changes; seeded."""

from typing import TypeVar

import numpy as np

from benchmarks.releases.kinds import MAKERS
from benchmarks.releases.release import BEFORE_STEPS, JUDGED, STABLE, Event, Kind, Mode, Release, plain_truth
from monitor.types import Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS

EPOCH = 1_772_409_600_000  # 2026-03-02
STEP = 30  # minutes
LONG_STEP = 12 * 60

Key = TypeVar("Key")

WEIGHTS = {
    Kind.GOOD: 8,
    Kind.RECALIBRATED: 10,
    Kind.RETRAINED: 8,
    Kind.SLIGHTLY_BAD: 8,
    Kind.CLEARLY_BAD: 10,
    Kind.BAD_LATE_TRUTHS: 5,
    Kind.BAD_LATER: 3,
    Kind.DRIFTING_WORLD: 8,
    Kind.CONCEPT: 6,
    Kind.BOTH_BAD: 5,
    Kind.BLIND: 5,
    Kind.WRONG_DEPLOYMENTS: 6,
    Kind.SEVERAL_VERSIONS: 4,
    Kind.FLAPPING: 3,
    Kind.OLD_TARGET: 2,
    Kind.CHANGED_SCHEMA: 2,
    Kind.BROKEN_FIELD: 3,
    Kind.LOW_TRAFFIC: 3,
    Kind.LONG_DRIFT: 1,
    Kind.SEGMENT: 6,
}
MODES = {Mode.AUTO: 72, Mode.ONE_KEY: 8, Mode.APPROVE: 10, Mode.DRY_RUN: 10}


def release_of(index: int, *, seed: int) -> Release:
    """Return history *index* of the run with *seed*; the same one whenever it is asked for."""
    random = np.random.default_rng([seed, index])
    kind = _drawn(random, WEIGHTS)
    release = _plain(random, kind, seed=seed * 1_000_003 + index)
    MAKERS[kind](release, random)
    return release


def _drawn(random: np.random.Generator, weights: dict[Key, int]) -> Key:
    keys = list(weights)
    shares = np.array(list(weights.values()), dtype=float)
    return keys[int(random.choice(len(keys), p=shares / shares.sum()))]


def _plain(random: np.random.Generator, kind: Kind, *, seed: int) -> Release:
    """Return a release of a perfect copy, as canary or by a full switch."""
    long = kind is Kind.LONG_DRIFT
    step = LONG_STEP if long else STEP
    after = int(random.integers(120, 240)) if long else int(random.integers(30, 60))
    steps = BEFORE_STEPS + after
    start = EPOCH + int(random.integers(0, 60 * 24)) * step * MINUTE_MILLIS
    began = start + BEFORE_STEPS * step * MINUTE_MILLIS + int(random.integers(0, step)) * MINUTE_MILLIS
    base = float(random.uniform(0.75, 0.97))
    mode = _drawn(random, MODES)
    truths_after = int(np.exp(random.uniform(np.log(2), np.log(180)))) * MINUTE_MILLIS
    canary = bool(random.random() < 0.65)
    share = float(random.uniform(0.08, 0.5)) if canary else 1.0
    serves = np.arange(steps) > BEFORE_STEPS
    versions = {
        STABLE: plain_truth(
            steps, accuracy=base, traffic=np.where(serves, 1.0 - share, 1.0), truths_after=truths_after
        ),
        JUDGED: plain_truth(steps, accuracy=base, traffic=np.where(serves, share, 0.0), truths_after=truths_after),
    }
    served_since = began - int(random.integers(2, 200)) * DAY_MILLIS
    events = [
        Event(STABLE, served_since, Stage.PRODUCTION),
        Event(JUDGED, began, Stage.CANARY if canary else Stage.PRODUCTION, traffic=share if canary else None,
              reported_at=began + int(random.exponential(2 * MINUTE_MILLIS))),
    ]  # fmt: skip
    correlation = float(random.choice([0.0, 0.0, 0.002, 0.005, 0.02]))
    release = Release(
        kind=kind,
        mode=mode,
        seed=seed,
        start=start,
        step=step,
        steps=steps,
        began=began,
        rate=float(np.exp(random.uniform(np.log(600), np.log(20_000)))),
        correlation=correlation,
        measured_correlation=correlation * float(random.uniform(1.0, 1.5)) if random.random() < 0.6 else None,
        reference_accuracy=base + float(random.normal(0.0, 0.003)),
        world_psi=np.zeros(steps),
        broken=np.zeros(steps),
        versions=versions,
        events=events,
        late=int(random.uniform(1, 4) * MINUTE_MILLIS),
    )
    if random.random() < 0.25:
        versions[JUDGED].truths_after = int(truths_after * random.uniform(0.2, 5.0))
    release.random_split = bool(random.random() < 0.7)
    release.warm_up = DAY_MILLIS if random.random() < 0.6 else 0
    if random.random() < 0.05:
        stands = start + int(random.integers(0, steps)) * step * MINUTE_MILLIS
        release.stalled = (stands, stands + int(random.integers(1, 30)) * HOUR_MILLIS)
    return release

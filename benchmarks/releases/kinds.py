"""What makes a release one of its kind: changes of a plain one, of its truth and of what deployment events say."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.releases.release import BEFORE_STEPS, JUDGED, STABLE, Event, Kind, Release, plain_truth
from monitor.types import Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS


@dataclass(frozen=True)
class _Version:
    """How a version differs from a perfect copy of the stable one."""

    worse: float = 0.0
    score_psi: float = 0.0
    label_psi: float = 0.0
    more_positive: float = 0.0
    own_inputs_psi: float = 0.0


def _set(release: Release, version: _Version, *, name: str = JUDGED, since: int = 0) -> None:
    """Make *name* differ from step *since* on."""
    truth = release.versions[name]
    truth.accuracy[since:] = np.clip(truth.accuracy[since:] - version.worse, 0.02, 0.995)
    truth.score_psi[since:] = np.maximum(truth.score_psi[since:], version.score_psi)
    truth.label_psi[since:] = np.maximum(truth.label_psi[since:], version.label_psi)
    truth.positive[since:] = np.clip(truth.positive[since:] + version.more_positive, 0.01, 0.99)
    truth.own_inputs_psi[since:] = version.own_inputs_psi


def _recalibrated(random: np.random.Generator) -> _Version:
    return _Version(score_psi=float(random.uniform(0.35, 1.5)))


def _retrained(random: np.random.Generator) -> _Version:
    more = float(random.uniform(-0.05, 0.05))
    return _Version(
        worse=-float(random.choice([0.0, random.uniform(0.0, 0.03)])),
        score_psi=float(random.uniform(0.1, 0.8)),
        label_psi=more * more / 0.21,
        more_positive=more,
    )


def _bad(random: np.random.Generator, *, low: float, high: float) -> _Version:
    worse = float(random.uniform(low, high))
    if random.random() < 0.12:
        return _Version(worse=worse)  # its predictions are distributed as before
    more = float(random.uniform(-0.25, 0.4))
    inputs = float(random.uniform(0.4, 1.2)) if random.random() < 0.15 else 0.0
    return _Version(
        worse=worse,
        score_psi=float(random.uniform(0.35, 1.5)),
        label_psi=more * more / 0.21,
        more_positive=more,
        own_inputs_psi=inputs,
    )


def _any_version(random: np.random.Generator, *, bad: float = 0.4) -> _Version:
    """Return a version of any kind, bad with the probability *bad*."""
    if random.random() < bad:
        return _bad(random, low=0.03, high=0.4)
    return [_Version(), _recalibrated(random), _retrained(random)][int(random.integers(0, 3))]


def _good(release: Release, random: np.random.Generator) -> None:
    better, moved = float(random.uniform(0.0, 0.02)), float(random.uniform(0.0, 0.05))
    _set(release, _Version(worse=-better, score_psi=moved))


def _slightly_bad(release: Release, random: np.random.Generator) -> None:
    _set(release, _bad(random, low=0.03, high=0.1))


def _clearly_bad(release: Release, random: np.random.Generator) -> None:
    _set(release, _bad(random, low=0.13, high=0.4))


def _bad_late_truths(release: Release, random: np.random.Generator) -> None:
    _set(release, _bad(random, low=0.05, high=0.4))
    later = int(random.uniform(6, 36) * HOUR_MILLIS)
    for truth in release.versions.values():
        truth.truths_after = later


def _bad_later(release: Release, random: np.random.Generator) -> None:
    _set(release, _bad(random, low=0.13, high=0.4), since=BEFORE_STEPS + int(random.integers(10, 28)))


def _world_falls(
    release: Release, random: np.random.Generator, *, since: int, inputs: bool, low: float, until: int | None = None
) -> None:
    """Every version, served or not, gets worse by as much; the inputs of all move, if they do."""
    over = int(random.choice([1, 12, 40]))
    over = over if until is None else min(over, until - since)
    ramp = np.clip((np.arange(release.steps) - since) / over, 0.0, 1.0)
    fall = ramp * float(random.uniform(low, 0.3))
    for truth in release.versions.values():
        truth.accuracy[:] = np.clip(truth.accuracy - fall, 0.02, 0.995)
    if inputs:
        size = float(random.uniform(0.3, 1.2))
        release.world_psi[:] = size * ramp * ramp
        predictions = size * float(random.uniform(0.0, 1.0)) * ramp * ramp
        more = float(random.uniform(-0.2, 0.2)) * ramp
        for truth in release.versions.values():
            truth.score_psi[:] = np.maximum(truth.score_psi, predictions)
            truth.label_psi[:] = np.maximum(truth.label_psi, predictions / 2.0)
            truth.positive[:] = np.clip(truth.positive + more, 0.01, 0.99)


def _drifting_world(release: Release, random: np.random.Generator) -> None:
    _set(release, _any_version(random, bad=0.0))
    since = BEFORE_STEPS + int(random.integers(-20, 40))
    _world_falls(release, random, since=since, inputs=True, low=0.0)


def _concept(release: Release, random: np.random.Generator) -> None:
    """Quality falls for all while inputs stay.

    After a full switch nothing can distinguish it from a bad version if it falls with the switch: it has fallen before,
    or falls at least half a day later.
    """
    _set(release, _any_version(random, bad=0.0))
    if random.random() < 0.3:
        since = BEFORE_STEPS + int(random.integers(-20, -4))
        _world_falls(release, random, since=since, inputs=False, low=0.02, until=BEFORE_STEPS - 2)
    else:
        _world_falls(release, random, since=BEFORE_STEPS + int(random.integers(24, 36)), inputs=False, low=0.02)


def _both_bad(release: Release, random: np.random.Generator) -> None:
    fall = _bad(random, low=0.1, high=0.4)
    _set(release, fall, name=STABLE)
    _set(release, fall)
    _set(release, _Version(worse=float(random.choice([0.0, 0.0, random.uniform(-0.1, 0.1)]))))


def _blind(release: Release, random: np.random.Generator) -> None:
    _set(release, _any_version(random))
    names = [[JUDGED], [STABLE], [JUDGED, STABLE]][int(random.integers(0, 3))]
    since = int(random.integers(0, release.steps))
    until = since + int(random.integers(4, release.steps))
    for name in names:
        truth = release.versions[name]
        if random.random() < 0.6:
            truth.labelled[since:until] = float(random.choice([0.0, random.uniform(0.0, 0.79)]))
        if random.random() < 0.6:
            truth.blind[since:until] = 1.0
        if random.random() < 0.3:
            truth.truths_after = int(random.uniform(1, 40) * HOUR_MILLIS)


def _wrong_deployments(release: Release, random: np.random.Generator) -> None:
    _set(release, _any_version(random, bad=0.3))
    stable, judged = release.events
    kind = int(random.integers(0, 6))
    if kind == 0:  # dated in the future
        ahead = int(random.uniform(0.5, 400) * DAY_MILLIS)
        release.events = [stable, replace(judged, event_time=judged.event_time + ahead)]
    elif kind == 1:  # never sent
        release.events = [stable]
    elif kind == 2:  # names the old version
        release.events = [stable, replace(judged, version=STABLE)]
    elif kind == 3:  # says that all was switched: the old one goes on
        release.events = [stable, replace(judged, stage=Stage.PRODUCTION, traffic=None)]
    elif kind == 4:  # hours late
        release.events = [
            stable,
            replace(judged, reported_at=judged.event_time + int(random.uniform(1, 30) * HOUR_MILLIS)),
        ]
    else:  # one of another version that never served, of tomorrow, and one that retires a serving version
        tomorrow = release.began + DAY_MILLIS
        named = str(random.choice([STABLE, JUDGED]))
        release.events = [stable, judged, Event("9", tomorrow, Stage.PRODUCTION, reported_at=release.began),
                          Event(named, tomorrow, Stage.RETIRED, reported_at=release.began)]  # fmt: skip


def _several_versions(release: Release, random: np.random.Generator) -> None:
    """Two versions have shared production for a week; the third takes a part of it."""
    share, other = float(random.uniform(0.1, 0.4)), float(random.uniform(0.2, 0.5))
    serves = np.arange(release.steps) > BEFORE_STEPS
    stable, judged = release.versions[STABLE], release.versions[JUDGED]
    sibling = plain_truth(
        release.steps,
        accuracy=float(stable.accuracy[0]),
        traffic=np.where(serves, (1.0 - share) * other, other),
        truths_after=stable.truths_after,
    )
    release.versions["1b"] = sibling
    stable.traffic[:] = np.where(serves, (1.0 - share) * (1.0 - other), 1.0 - other)
    judged.traffic[:] = np.where(serves, share, 0.0)
    if random.random() < 0.3:
        _set(release, _bad(random, low=0.05, high=0.3), name="1b")
    _set(release, _any_version(random))
    since = release.events[0].event_time
    release.events = [
        Event(STABLE, since, Stage.PRODUCTION, traffic=1.0 - other),
        Event("1b", since + HOUR_MILLIS, Stage.PRODUCTION, traffic=other),
        Event(JUDGED, release.began, Stage.PRODUCTION, traffic=share, reported_at=release.began),
    ]


def _flapping(release: Release, random: np.random.Generator) -> None:
    """People switch to and fro, every few hours."""
    _set(release, _any_version(random))
    serving, step, events = JUDGED, BEFORE_STEPS + 1, [release.events[0]]
    stable, judged = release.versions[STABLE], release.versions[JUDGED]
    while step < release.steps:
        until = step + int(random.integers(4, 30))
        at = release.start + step * release.step * MINUTE_MILLIS
        events.append(Event(serving, at, Stage.PRODUCTION, reported_at=at))
        judged.traffic[step:until] = float(serving == JUDGED)
        stable.traffic[step:until] = float(serving == STABLE)
        serving, step = (STABLE if serving == JUDGED else JUDGED), until
    release.events = events


def _old_target(release: Release, random: np.random.Generator) -> None:
    """The version before last served over a month ago; what it was good at is not what is asked now."""
    _set(release, _any_version(random))
    age = int(random.uniform(31, 700) * DAY_MILLIS)
    release.events = [
        Event(STABLE, release.began - age - 60 * DAY_MILLIS, Stage.PRODUCTION),
        Event("1b", release.began - age, Stage.PRODUCTION),
        Event(JUDGED, release.began, Stage.PRODUCTION, reported_at=release.began),
        Event("1b", release.began + MINUTE_MILLIS, Stage.RETIRED, reported_at=release.began),
    ]
    serves = np.arange(release.steps) > BEFORE_STEPS
    stable, judged = release.versions[STABLE], release.versions[JUDGED]
    stable.traffic[:], judged.traffic[:] = 0.0, serves
    accuracy = float(judged.accuracy[0])
    release.versions["1b"] = plain_truth(
        release.steps, accuracy=accuracy, traffic=(~serves).astype(float), truths_after=judged.truths_after
    )
    release.cannot_serve = frozenset({"1b"})
    stable.accuracy[:] = judged.accuracy - 0.1


def _changed_schema(release: Release, random: np.random.Generator) -> None:
    """The new version reads other columns: the old one cannot serve any more."""
    _set(release, _any_version(random, bad=0.6))
    stable, judged = release.events
    release.events = [stable, replace(judged, stage=Stage.PRODUCTION, traffic=None)]
    serves = np.arange(release.steps) > BEFORE_STEPS
    release.versions[STABLE].traffic[:] = ~serves
    release.versions[JUDGED].traffic[:] = serves
    release.schema_changed_at = release.began
    release.cannot_serve = frozenset({STABLE})


def _broken_field(release: Release, random: np.random.Generator) -> None:
    """A field breaks for all versions, at about the time of the release; quality falls for all."""
    _set(release, _any_version(random, bad=0.0))
    since = BEFORE_STEPS + int(random.integers(-10, 20))
    release.broken[since : since + int(random.integers(4, 60))] = 1.0
    fall = release.broken * float(random.uniform(0.0, 0.4))
    moved = release.broken * float(random.uniform(0.0, 1.5))
    for truth in release.versions.values():
        truth.accuracy[:] = np.clip(truth.accuracy - fall, 0.02, 0.995)
        truth.score_psi[:] = np.maximum(truth.score_psi, moved)


def _low_traffic(release: Release, random: np.random.Generator) -> None:
    _set(release, _any_version(random))
    share = float(random.uniform(0.01, 0.03))
    serves = np.arange(release.steps) > BEFORE_STEPS
    release.versions[STABLE].traffic[:] = np.where(serves, 1.0 - share, 1.0)
    release.versions[JUDGED].traffic[:] = np.where(serves, share, 0.0)
    stable, judged = release.events
    release.events = [stable, replace(judged, stage=Stage.CANARY, traffic=share)]


def _long_drift(release: Release, random: np.random.Generator) -> None:
    """One version in production, and inputs that move for months; a retraining yields a version that fits again."""
    stable, judged = release.versions[STABLE], release.versions[JUDGED]
    stable.traffic[:], judged.traffic[:] = 1.0, 0.0
    release.events = [release.events[0]]
    _world_falls(release, random, since=BEFORE_STEPS + int(random.integers(0, 40)), inputs=True, low=0.05)
    judged.accuracy[:] = stable.accuracy[0]
    judged.score_psi[:], judged.label_psi[:] = 0.002, 0.001
    if random.random() < 0.4:
        release.retrained = [JUDGED]


def _segment(release: Release, random: np.random.Generator) -> None:
    """The canary gets the requests of another region, or of other hours, on which any version is less accurate.

    Nobody says that the split is random. Its inputs show it, or not: what is not a column, or moves no column's shares.
    """
    share = float(random.uniform(0.08, 0.5))
    harder, hidden = float(random.uniform(0.05, 0.4)), bool(random.random() < 0.4)
    _set(release, _any_version(random, bad=0.0))
    stable, judged = release.events
    release.events = [stable, replace(judged, stage=Stage.CANARY, traffic=share)]
    release.random_split = False
    serves = np.arange(release.steps) > BEFORE_STEPS
    release.versions[STABLE].traffic[:] = np.where(serves, 1.0 - share, 1.0)
    release.versions[JUDGED].traffic[:] = np.where(serves, share, 0.0)
    release.versions[STABLE].harder[:] = np.where(serves, -harder * share, 0.0)
    release.versions[JUDGED].harder[:] = harder * (1.0 - share)
    if not hidden:
        psi = float(random.uniform(0.02, 1.2))
        more = float(random.uniform(-0.2, 0.2))
        prediction = psi * float(random.uniform(0.0, 1.2))
        shift = _Version(score_psi=prediction, label_psi=more * more / 0.21, more_positive=more, own_inputs_psi=psi)
        _set(release, shift)


MAKERS: dict[Kind, Callable[[Release, np.random.Generator], None]] = {
    Kind.GOOD: _good,
    Kind.RECALIBRATED: lambda release, random: _set(release, _recalibrated(random)),
    Kind.RETRAINED: lambda release, random: _set(release, _retrained(random)),
    Kind.SLIGHTLY_BAD: _slightly_bad,
    Kind.CLEARLY_BAD: _clearly_bad,
    Kind.BAD_LATE_TRUTHS: _bad_late_truths,
    Kind.BAD_LATER: _bad_later,
    Kind.DRIFTING_WORLD: _drifting_world,
    Kind.CONCEPT: _concept,
    Kind.BOTH_BAD: _both_bad,
    Kind.BLIND: _blind,
    Kind.WRONG_DEPLOYMENTS: _wrong_deployments,
    Kind.SEVERAL_VERSIONS: _several_versions,
    Kind.FLAPPING: _flapping,
    Kind.OLD_TARGET: _old_target,
    Kind.CHANGED_SCHEMA: _changed_schema,
    Kind.BROKEN_FIELD: _broken_field,
    Kind.LOW_TRAFFIC: _low_traffic,
    Kind.LONG_DRIFT: _long_drift,
    Kind.SEGMENT: _segment,
}

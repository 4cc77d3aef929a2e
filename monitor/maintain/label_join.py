"""Joins truths with predictions, whichever came first, and keeps the performance panes equal to what is joined."""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.performance.correctness import ComparisonRules, comparison_rules
from monitor.performance.delayed_labels import TruthKey, contribution, in_force, next_look_seconds, pane_changes
from monitor.store.configuration import Configuration
from monitor.store.truths import (
    JoinProgress,
    ProbeSchedule,
    TruthInForce,
    change_panes,
    due_probes,
    fold_truths,
    joined_of,
    predictions_of,
    reschedule,
    take_inbox,
    write_joined,
)
from monitor.units import millis


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRules:
    """How one model's truths are joined.

    Attributes:
        until_matched: A truth that found a prediction looks no more; only where no other version's can come (ADR 2).
    """

    comparison: ComparisonRules
    horizon_millis: int
    until_matched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinReport:
    """What one transaction did.

    Attributes:
        received: Truths out of the inbox.
        probed: Truths that looked for predictions again.
        changed: Predictions whose contribution is new or another one.
        more: The limit was reached: call again, from *place* on.
    """

    received: int
    probed: int
    changed: int
    more: bool
    place: JoinProgress


def join_rules(configuration: Configuration) -> dict[int, JoinRules]:
    """Return the rules of every applied model by its id."""
    return {
        model.model_id: JoinRules(
            comparison=comparison_rules(model.spec), horizon_millis=millis(model.spec.truth.horizon)
        )
        for model in configuration.models
    }


def join_batches(
    engine: sa.Engine, *, rules: Mapping[int, JoinRules], limit: int = 2000, now: Callable[[sa.Connection], int]
) -> Iterator[JoinReport]:
    """Join until nothing is left, a transaction a batch; what a caller leaves over is the next round's.

    *now*: the clock, in epoch milliseconds, asked in each transaction.
    """
    more, place = bool(rules), JoinProgress()
    while more:
        with engine.begin() as connection:
            report = join_truths(connection, rules=rules, limit=limit, now=now(connection), place=place)
        yield report
        more, place = report.more, report.place


def join_truths(
    connection: sa.Connection,
    *,
    rules: Mapping[int, JoinRules],
    limit: int = 2000,
    now: int,
    place: JoinProgress = JoinProgress(),  # noqa: B008  # a frozen value
) -> JoinReport:
    """Take up to *limit* truths from the inbox, let up to *limit* others look again, join both; the caller commits.

    A truth's row is locked while what it is joined with changes, so several maintainers may run. *place*: where the
    batch before in the same round came to; a round begins without it.
    """
    model_ids = sorted(rules)
    received, inbox_id = take_inbox(connection, model_ids=model_ids, limit=limit, after=place.inbox_id)
    events = in_force(received)
    next_probes = [_next_probe(rules[event.key.model_id], first_seen_at=now, now=now, matched=True) for event in events]
    truths = {truth.key: truth for truth in fold_truths(connection, events, next_probes=next_probes, now=now)}
    probed = due_probes(connection, model_ids=model_ids, limit=limit, now=now, after=place.probe_at)
    truths.update((truth.key, truth) for truth in probed)
    probed_keys = frozenset(truth.key for truth in probed)
    changed = 0
    for model_id in sorted({key.model_id for key in truths}):
        of_model = {key: truth for key, truth in truths.items() if key.model_id == model_id}
        changed += _join_model(connection, of_model, probed_keys, model_id=model_id, rules=rules[model_id], now=now)
    due_at = max((truth.schedule.next_probe_at or 0 for truth in probed), default=place.probe_at)
    return JoinReport(
        received=len(received),
        probed=len(probed),
        changed=changed,
        more=len(received) == limit or len(probed) == limit,
        place=JoinProgress(inbox_id=inbox_id, probe_at=due_at),
    )


def _join_model(
    connection: sa.Connection,
    truths: Mapping[TruthKey, TruthInForce],
    probed_keys: Set[TruthKey],
    *,
    model_id: int,
    rules: JoinRules,
    now: int,
) -> int:
    hashes = [key.prediction_hash for key in truths]
    before = {joined.key: joined for joined in joined_of(connection, model_id=model_id, hashes=hashes)}
    after = {}
    matched: dict[TruthKey, int] = {}
    for prediction in predictions_of(connection, model_id=model_id, hashes=hashes):
        truth = truths[prediction.key.truth]
        after[prediction.key] = contribution(
            prediction, known_at=truth.known_at, truth=truth.value, rules=rules.comparison
        )
        matched[truth.key] = matched.get(truth.key, 0) + 1
    new = [row for key, row in sorted(after.items()) if before.get(key) != row]
    write_joined(connection, new)
    withdrawn = [before[joined.key] for joined in new if joined.key in before]
    change_panes(connection, pane_changes(withdrawn=withdrawn, added=new))
    schedules = [
        ProbeSchedule(
            key=key,
            probes=truth.schedule.probes + (key in probed_keys),
            next_probe_at=_next_probe(rules, first_seen_at=truth.first_seen_at, now=now, matched=key in matched),
            matched=matched.get(key, 0),
        )
        for key, truth in truths.items()
    ]
    reschedule(connection, [schedule for schedule in schedules if schedule != truths[schedule.key].schedule])
    return len(new)


def _next_probe(rules: JoinRules, *, first_seen_at: int, now: int, matched: bool) -> int | None:
    if matched and rules.until_matched:
        return None
    seconds = next_look_seconds(
        (now - first_seen_at) / 1000, matched=matched, horizon_seconds=rules.horizon_millis / 1000
    )
    return None if seconds is None else first_seen_at + int(seconds * 1000)

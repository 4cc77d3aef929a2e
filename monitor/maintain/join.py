"""Joins truths with predictions, whichever came first, and keeps the performance panes equal to what is joined."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.durations import millis
from monitor.store.configuration import Configuration
from monitor.store.truths import (
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
from monitor.truth.comparison import ComparisonRules, comparison_rules
from monitor.truth.contribution import contribution, pane_changes
from monitor.truth.fold import TruthKey, in_force
from monitor.truth.probing import next_probe_seconds


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
        taken: Truths out of the inbox.
        probed: Truths that looked again.
        changed: Predictions whose contribution is new or another one.
        more: The limit was reached: call again.
    """

    taken: int
    probed: int
    changed: int
    more: bool


def join_rules(configuration: Configuration) -> dict[int, JoinRules]:
    """Return the rules of every applied model by its id."""
    return {
        each.model_id: JoinRules(comparison=comparison_rules(each.spec), horizon_millis=millis(each.spec.truth.horizon))
        for each in configuration.models
    }


def join_truths(
    connection: sa.Connection, *, rules: Mapping[int, JoinRules], limit: int = 2000, now: int
) -> JoinReport:
    """Take up to *limit* truths from the inbox, let up to *limit* others look again, join both; the caller commits.

    A truth's row is locked while what it is joined with changes, so several maintainers may run.
    """
    model_ids = sorted(rules)
    taken = take_inbox(connection, model_ids=model_ids, limit=limit)
    truths = {each.key: each for each in fold_truths(connection, in_force(taken), now=now)}
    probed = due_probes(connection, model_ids=model_ids, limit=limit, now=now)
    truths.update((each.key, each) for each in probed)
    changed = 0
    for model_id in sorted({key.model_id for key in truths}):
        of_model = {key: truth for key, truth in truths.items() if key.model_id == model_id}
        changed += _join_model(connection, of_model, model_id=model_id, rules=rules[model_id], now=now)
    more = len(taken) == limit or len(probed) == limit
    return JoinReport(taken=len(taken), probed=len(probed), changed=changed, more=more)


def _join_model(
    connection: sa.Connection,
    truths: Mapping[TruthKey, TruthInForce],
    *,
    model_id: int,
    rules: JoinRules,
    now: int,
) -> int:
    hashes = [key.prediction_hash for key in truths]
    before = {each.key: each for each in joined_of(connection, model_id=model_id, hashes=hashes)}
    after = {}
    matched: dict[TruthKey, int] = {}
    for prediction in predictions_of(connection, model_id=model_id, hashes=hashes):
        truth = truths[prediction.key.truth]
        after[prediction.key] = contribution(
            prediction, known_at=truth.known_at, truth=truth.value, rules=rules.comparison
        )
        matched[truth.key] = matched.get(truth.key, 0) + 1
    new = [each for key, each in sorted(after.items()) if before.get(key) != each]
    write_joined(connection, new)
    taken_back = [before[each.key] for each in new if each.key in before]
    change_panes(connection, pane_changes(taken_back=taken_back, added=new))
    reschedule(connection, [_schedule(each, matched.get(key, 0), rules, now) for key, each in truths.items()])
    return len(new)


def _schedule(truth: TruthInForce, matched: int, rules: JoinRules, now: int) -> ProbeSchedule:
    probes = truth.probes
    next_probe_at: int | None = None
    if matched and rules.until_matched:
        return ProbeSchedule(key=truth.key, probes=probes, next_probe_at=None, matched=matched)
    while (seconds := next_probe_seconds(probes, horizon_seconds=rules.horizon_millis / 1000)) is not None:
        next_probe_at = truth.first_seen_at + int(seconds * 1000)
        if next_probe_at > now:
            break
        probes += 1  # looks that were missed while nothing ran are made up for by this one
        next_probe_at = None
    return ProbeSchedule(key=truth.key, probes=probes, next_probe_at=next_probe_at, matched=matched)

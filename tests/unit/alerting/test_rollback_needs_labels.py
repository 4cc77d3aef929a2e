"""Every combination of evidence: without a person nothing goes back but what labels prove worse than its target."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from alerting.actions.evidence import Comparison, RollbackEvidence, Sighting, TargetEvidence
from alerting.actions.reasons import Refusal
from alerting.actions.rollback import rollback_decision
from tests.unit.alerting.test_guard import NOW, OLD, PROPOSAL, ROLLBACK, SITUATION, STABLE

SIGHTINGS = (None, OLD, NOW)
YES_OR_NO = (False, True)


def targets() -> Iterator[TargetEvidence]:
    combinations = product(YES_OR_NO, SIGHTINGS, YES_OR_NO, Comparison, SIGHTINGS)
    for serves, seen, shows_it, quality, side_by_side in combinations:
        yield replace(STABLE, serves=serves, seen=seen, shows_it=shows_it, quality=quality, side_by_side=side_by_side)


def evidence_of(target: TargetEvidence) -> Iterator[RollbackEvidence]:
    combinations = product(SIGHTINGS, SIGHTINGS, SIGHTINGS, SIGHTINGS, (None, NOW), YES_OR_NO)
    for seen, shift, inputs, worse, fine, inputs_moved in combinations:
        yield RollbackEvidence(
            seen=seen, shift=shift, inputs=inputs, worse=worse, fine=fine, inputs_moved=inputs_moved, targets=(target,)
        )


def test_without_a_person_only_labels_roll_back() -> None:
    """With two keys: a window of now that proves it worse, and labels that prove the target better by the same windows.

    Of a target that serves, on a random split only; of one that does not, with a shift that came with the version.
    """
    unattended = 0
    for target in targets():
        for evidence in evidence_of(target):
            for random_split in YES_OR_NO:
                rules = ROLLBACK.model_copy(update={"random_split": random_split})
                decision = rollback_decision(SITUATION, PROPOSAL, evidence, rules=rules)
                if isinstance(decision, Refusal) or decision.needs_approval:
                    continue
                unattended += 1
                assert speaks_for_it(evidence, target, random_split=random_split), (evidence, random_split)
    assert unattended > 100


def speaks_for_it(evidence: RollbackEvidence, target: TargetEvidence, *, random_split: bool) -> bool:
    """Return whether everything that an unattended rollback needs is there, in the words of the design."""
    proven = is_of_now(evidence.worse) and target.quality is Comparison.BETTER
    serves = is_of_now(evidence.seen) and not target.shows_it
    came_with_it = is_of_now(evidence.shift) or is_of_now(evidence.inputs)
    if target.serves:
        compared = random_split and (came_with_it or is_of_now(target.side_by_side))
        return proven and serves and compared and is_of_now(target.seen)
    return proven and serves and came_with_it and target.seen is not None and not evidence.inputs_moved


def is_of_now(sighting: Sighting | None) -> bool:
    return sighting is not None and sighting.fresh_at(SITUATION.now_millis)

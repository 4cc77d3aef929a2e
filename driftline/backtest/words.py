"""Reasons as sentences for people who never read the code."""

from alerting.actions.guard import Refusal

REFUSALS = {
    Refusal.MODE_OFF: "the spec turns this action off",
    Refusal.ACTIONS_DISABLED: "the global switch holds every action",
    Refusal.MODEL_HELD: "the model's switch holds its actions",
    Refusal.DATA_QUALITY_INCIDENT: "a broken field is repaired upstream, not by a new or an older model",
    Refusal.DATA_QUALITY_OPEN: "a field is broken at the same time: first that",
    Refusal.KIND_NEVER_ACTS: "incidents of this kind never act",
    Refusal.TIER_BELOW_ALERT: "asked from tier alert on",
    Refusal.TIER_BELOW_CRITICAL: "asked from tier critical on",
    Refusal.STALE: "the window is too old to act on",
    Refusal.ALREADY_RUNNING: "one is under way already",
    Refusal.COOLDOWN: "the last one is not long enough ago",
    Refusal.INPUT_DRIFT_ONLY: "only inputs moved: the older version would see the same ones",
    Refusal.NO_VERSION_CHANGE: "no version changed lately that could be the cause (a backtest knows no deployments)",
    Refusal.SUPERSEDED: "the version does not serve any more",
    Refusal.PROMOTION_ALREADY_ROLLED_BACK: "this promotion was rolled back already",
    Refusal.NO_KNOWN_TARGET: "no healthy version is known to go back to",
    Refusal.TARGET_FLAGGED: "the version to go back to has an incident of its own",
    Refusal.FIRST_KEY_MISSING: "neither the prediction nor important inputs are proven to have moved critically",
    Refusal.SECOND_KEY_MISSING: "a second piece of evidence is missing: truths, or the older version beside it",
}

INCONCLUSIVE = {
    "filling": "not full yet",
    "too_few_events": "too few events",
    "no_events": "no events",
    "no_reference": "no reference",
    "new_cells": "new cells, filling",
    "compacted": "compacted history",
    "immature": "truths missing",
    "not_measured": "not measured",
}


def explained_action(reason: str, *, refused: bool) -> str:
    """Return why an action was refused, or for what it was asked."""
    if refused:
        return REFUSALS[Refusal(reason)]
    kind, _, tier = reason.rpartition("_")
    return f"{kind.replace('_', ' ')} incident at tier {tier}"


def explained_inconclusive(reason: str) -> str:
    """Return why a window could not be judged."""
    return INCONCLUSIVE.get(reason, reason.replace("_", " "))

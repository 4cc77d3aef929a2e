"""Why an action is refused, and on what grounds a rollback is asked for: closed lists with words for people."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why an action does not run; stored with the refused action."""

    MODE_OFF = "mode_off"
    ACTIONS_DISABLED = "actions_disabled"  # the setting `actions_enabled` of the alerter
    ACTIONS_HELD = "actions_held"  # by people, see `driftline holds`
    DATA_QUALITY_INCIDENT = "data_quality_incident"
    DATA_QUALITY_OPEN = "data_quality_open"
    KIND_NEVER_ACTS = "kind_never_acts"
    TIER_BELOW_ALERT = "tier_below_alert"
    TIER_BELOW_CRITICAL = "tier_below_critical"
    NO_VERSION_CHANGE = "no_version_change"
    SUPERSEDED = "superseded"
    PROMOTION_ALREADY_ROLLED_BACK = "promotion_already_rolled_back"
    ALREADY_ANSWERED = "already_answered"  # a person rejected it, or nobody approved it in time
    COMMON_CAUSE = "common_cause"
    INPUT_DRIFT_ONLY = "input_drift_only"
    NO_KEY = "no_key"
    STALE = "stale"
    VERSION_SILENT = "version_silent"
    QUALITY_IS_FINE = "quality_is_fine"
    NO_KNOWN_TARGET = "no_known_target"
    TARGET_BLOCKED = "target_blocked"
    TARGET_FLAGGED = "target_flagged"
    TARGET_TOO_OLD = "target_too_old"
    TARGET_SCHEMA = "target_schema"
    TARGET_BLIND = "target_blind"
    TARGET_NOT_BETTER = "target_not_better"
    INPUTS_MOVED = "inputs_moved"
    COOLDOWN = "cooldown"
    BUDGET_SPENT = "budget_spent"
    HOURLY_BUDGET_SPENT = "hourly_budget_spent"
    ALREADY_RUNNING = "already_running"
    AWAITING_APPROVAL = "awaiting_approval"
    RESULT_UNKNOWN = "result_unknown"
    ROLLBACK_IS_THE_CURE = "rollback_is_the_cure"
    SHIFT_ACCEPTED = "shift_accepted"
    ADOPT_REFERENCE = "adopt_reference"


REFUSALS = {
    Refusal.MODE_OFF: "the spec turns this action off",
    Refusal.ACTIONS_DISABLED: "the setting `actions_enabled` of the alerter stops every action",
    Refusal.ACTIONS_HELD: "a person holds it (`driftline holds`)",
    Refusal.DATA_QUALITY_INCIDENT: "a broken field is repaired upstream, not by a new or an older model",
    Refusal.DATA_QUALITY_OPEN: "a field is broken at the same time: first that",
    Refusal.KIND_NEVER_ACTS: "incidents of this kind never act",
    Refusal.TIER_BELOW_ALERT: "asked from tier alert on",
    Refusal.TIER_BELOW_CRITICAL: "asked from tier critical on",
    Refusal.NO_VERSION_CHANGE: "no version changed lately that could be the cause (a backtest knows no deployments)",
    Refusal.SUPERSEDED: "the version does not serve any more",
    Refusal.PROMOTION_ALREADY_ROLLED_BACK: "this promotion was rolled back already",
    Refusal.ALREADY_ANSWERED: "the rollback of this promotion was put to people on the same grounds: it was rejected, "
    "or nobody approved it in time",
    Refusal.COMMON_CAUSE: "more than this version is bad at the same time, so the cause is elsewhere: look for what "
    "they share",
    Refusal.INPUT_DRIFT_ONLY: "only inputs moved: the older version would see the same ones",
    Refusal.NO_KEY: "no window shows now that something came with the version, or that its labelled quality is worse",
    Refusal.STALE: "what shows it is too old to act on",
    Refusal.VERSION_SILENT: "the version has no conclusive window of now, so it may not serve",
    Refusal.QUALITY_IS_FINE: "labelled quality of the same time is mature and fine: the shift costs nothing",
    Refusal.NO_KNOWN_TARGET: "no healthy version is known to go back to",
    Refusal.TARGET_BLOCKED: "the version to go back to was itself rolled back, and not deployed again since",
    Refusal.TARGET_FLAGGED: "the version to go back to was bad when it was replaced",
    Refusal.TARGET_TOO_OLD: "the version to go back to last served too long ago (`rollback.max_target_age`)",
    Refusal.TARGET_SCHEMA: "the version to go back to counted other columns (`rollback.allow_schema_change`)",
    Refusal.TARGET_BLIND: "the version to go back to has no fresh conclusive window: nothing shows that it is better",
    Refusal.TARGET_NOT_BETTER: "the labels do not prove the version to go back to better than this one",
    Refusal.INPUTS_MOVED: "the inputs moved too, and the version to go back to does not serve at the same time: it "
    "might do no better",
    Refusal.COOLDOWN: "the last one is not long enough ago",
    Refusal.BUDGET_SPENT: "the model's budget of this action is spent (`max_per_day`, `max_per_month`)",
    Refusal.HOURLY_BUDGET_SPENT: "the budget of all models together is spent (`actions_per_hour`)",
    Refusal.ALREADY_RUNNING: "one is under way already",
    Refusal.AWAITING_APPROVAL: "one waits for approval already: see `driftline actions`",
    Refusal.RESULT_UNKNOWN: "the result of the last one is not known: when it is, run `driftline actions ID result "
    "succeeded` (or `failed`); a new version or an adopted reference says so too",
    Refusal.ROLLBACK_IS_THE_CURE: "the shift came with the version while the inputs are stable: a retraining would not "
    "cure it, and whether to go back is the question of the rollback",
    Refusal.SHIFT_ACCEPTED: "a person rejected going back, so this version's shift is accepted while its inputs are "
    "stable and no label shows it worse; to compare its prediction with its own, "
    "`driftline reference adopt MODEL PROFILE --version VERSION`",
    Refusal.ADOPT_REFERENCE: "a retraining was asked for and the change stays: if the new state is right, adopt it as "
    "the reference (`driftline reference learn --spec SPEC --last 7d --output NEW`, then `driftline reference adopt "
    "MODEL NEW`)",
}

WANTS_SOMEONE = frozenset({Refusal.ADOPT_REFERENCE})
"""Refusals that people are notified of by themselves, each once an incident: somebody has to decide something."""


SPEAKS_AGAINST = frozenset(
    {
        Refusal.COMMON_CAUSE,
        Refusal.INPUT_DRIFT_ONLY,
        Refusal.NO_KEY,
        Refusal.QUALITY_IS_FINE,
        Refusal.TARGET_BLOCKED,
        Refusal.TARGET_FLAGGED,
        Refusal.TARGET_NOT_BETTER,
        Refusal.INPUTS_MOVED,
    }
)
"""Refusals by what windows show: who decides about a rollback that waits has to know of them."""


class Ground(StrEnum):
    """On what grounds a rollback is asked for; stored as the action's reason."""

    QUALITY_WORSE = "quality_worse"
    CRITICAL_ALONE = "critical_alone"
    SHIFT_WITHOUT_LABELS = "shift_without_labels"
    RECALIBRATED = "recalibrated"
    QUALITY_WITHOUT_SHIFT = "quality_without_shift"
    QUALITY_NOT_COMPARED = "quality_not_compared"
    WORLD_MAY_HAVE_CHANGED = "world_may_have_changed"
    WORSE_SIDE_BY_SIDE = "worse_side_by_side"
    REQUESTS_MAY_DIFFER = "requests_may_differ"


GROUNDS = {
    Ground.QUALITY_WORSE: "something changed with the version and its labelled quality is proven worse",
    Ground.CRITICAL_ALONE: "critical is enough, as `rollback.keys: 1` says",
    Ground.SHIFT_WITHOUT_LABELS: "its predictions differ from those of the version before at the same time; no label "
    "says yet whether that is worse",
    Ground.RECALIBRATED: "its score moved and its decisions (labels) did not, as of a recalibrated version; no label "
    "says that it is worse",
    Ground.QUALITY_WITHOUT_SHIFT: "its labelled quality is proven worse, and no shift shows what came with the version",
    Ground.QUALITY_NOT_COMPARED: "its labelled quality is proven worse; the version before has no labels to compare",
    Ground.WORLD_MAY_HAVE_CHANGED: "its labelled quality is proven worse than the version before had; that does not "
    "serve at the same time, and might do no better now: inputs drift, or quality fell before the switch "
    "or was not worse from its start on",
    Ground.WORSE_SIDE_BY_SIDE: "its labelled quality is proven worse than that of the version that serves at the same "
    "time on requests split at random, while no input of either drifts",
    Ground.REQUESTS_MAY_DIFFER: "its labelled quality is proven worse than that of the version that serves at the same "
    "time; nothing says that both get requests at random, and others may be harder for any version (if the split is "
    "random, say so: `rollback.random_split: true`)",
}

LABELLED_GROUNDS = frozenset({Ground.QUALITY_WORSE, Ground.WORSE_SIDE_BY_SIDE, Ground.CRITICAL_ALONE})
"""Grounds that need no person where the mode is auto; the others always wait for one."""
_WORSE_GROUNDS = frozenset(
    {
        Ground.QUALITY_WITHOUT_SHIFT,
        Ground.QUALITY_NOT_COMPARED,
        Ground.WORLD_MAY_HAVE_CHANGED,
        Ground.REQUESTS_MAY_DIFFER,
    }
)


def strength(reason: str) -> int:
    """Return how much a ground shows: 0 without labels, 1 with labels that are worse, 2 what needs no person."""
    if reason in LABELLED_GROUNDS:
        return 2
    return 1 if reason in _WORSE_GROUNDS else 0


def refusal_words(reason: str) -> str:
    """Return the words of a stored refusal; the reason itself where another build stored one that this one lacks."""
    try:
        return REFUSALS[Refusal(reason)]
    except ValueError:
        return reason.replace("_", " ")


def evidence_words(evidence: str) -> str:
    """Return the words of what the newest windows show of an action that waits: a ground, or what speaks against it."""
    return refusal_words(evidence) if evidence in SPEAKS_AGAINST else ground_words(evidence)


def ground_words(reason: str) -> str:
    """Return for what an action was asked: a rollback's ground, or kind and tier of the incident."""
    try:
        return GROUNDS[Ground(reason)]
    except ValueError:
        kind, _, tier = reason.rpartition("_")
        return f"{kind.replace('_', ' ')} incident at tier {tier}"

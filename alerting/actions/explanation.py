"""An action in words: why it was asked for or refused, and what is wanted from whom."""

from alerting.actions.reasons import evidence_words, ground_words, refusal_words
from monitor.clock import iso_utc
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, ModelKey

_HOLD = {
    ActionKind.ROLLBACK: "hold {version}: give it no more traffic",
    ActionKind.RETRAINING: "nothing is retrained yet",
}


def explanation(row: ActionRow, *, model: ModelKey, newest: str | None = None, refused_by: str = "") -> str:
    """Return why, and, of an action that waits for a person, what that person can do until when.

    Args:
        newest: What the newest windows show of it, if that is known and something else than its reason.
        refused_by: Of a refused one: who holds it, and why.
    """
    if row.state is ActionState.REFUSED:
        words = refusal_words(row.reason).replace(" MODEL ", f" {model} ")
        words = words.replace(" VERSION`", f" {row.from_version}`")
        return f"{words}: {refused_by}" if refused_by else words
    words = ground_words(row.reason)
    if newest not in (None, row.reason):
        words += f"; the newest windows: {evidence_words(newest)}"
    if row.state is not ActionState.AWAITING_APPROVAL or row.expires_at is None:
        return words
    hold = _HOLD[row.kind].format(version=row.from_version)
    short = row.id[:8]
    return (
        f"{words}; {hold}; until {iso_utc(row.expires_at)} approve with `driftline actions {short} approve`, or reject "
        f"with `driftline actions {short} reject --why TEXT`"
    )

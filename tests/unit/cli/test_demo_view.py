"""What the demo prints while the story runs."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from alerting.actions.reasons import Ground
from driftline.demo import view
from driftline.demo.acts import RECALIBRATED, time_line
from driftline.demo.expectations import DemoOutcome
from driftline.demo.installation import InstallationState
from driftline.demo.summary import print_summary
from driftline.demo.view import Frame, StoryView
from monitor.store.views.progress import SystemProgress
from monitor.types import ActionState, IncidentKind, Tier
from tests.unit.cli.test_expectations import COUNTS, delivery, incident, rollback

SEEN = InstallationState(
    records=10,
    counted=10,
    duplicates=0,
    late=0,
    dead=0,
    newest_prediction=None,
    windows=0,
    progress=SystemProgress(judged_until={}, labelled=5, correct=4, performance_due=0, deliveries_pending=0),
    incidents=(),
    actions=(),
)
FRAME = Frame(seen=SEEN, deliveries=(), total=20, seconds=1.0, doing="joining truths: 5 of 10")


def test_progress_is_printed_when_something_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once while nothing but the rate changes, however long that lasts; again with the next truths."""
    now = iter(range(0, 1000, 20))
    monkeypatch.setattr(view, "monotonic_seconds", lambda: float(next(now)))
    out = io.StringIO()
    shown = StoryView(Console(file=out, width=200), time_line(0), quiet=False)
    frames = [
        replace(FRAME, seconds=20.0 * number, doing=f"joining truths: {truths} of 10")
        for number, truths in enumerate((5, 5, 5, 7), start=1)
    ]
    for frame in frames:
        shown.show(frame)
    lines = out.getvalue().splitlines()
    assert [line.rpartition("; ")[2] for line in lines] == ["joining truths: 5 of 10", "joining truths: 7 of 10"]


def test_a_message_that_asks_is_among_those_sent() -> None:
    """Approval asked for in a message of its own, which names no incident, is found by its action."""
    line, out = time_line(0), io.StringIO()
    raised = incident("recalibrated", 4, IncidentKind.DRIFT, RECALIBRATED, Tier.CRITICAL)
    held = rollback(RECALIBRATED, Ground.RECALIBRATED, ActionState.AWAITING_APPROVAL)
    held = replace(held, action=replace(held.action, incident_id="recalibrated"))
    asks = replace(delivery("", "model.action.awaiting_approval", ""), incidents=())
    messages = (
        delivery("1", "model.incident.opened", "recalibrated"),
        replace(asks, id="2", actions=(held.action.id,), to_approve=("the rollback of 3.3.0",)),
        replace(asks, id="3", actions=("another",), to_approve=("the rollback of 3.4.0",)),
    )
    outcome = DemoOutcome(counts=COUNTS, incidents=(raised,), actions=(held,), deliveries=messages)
    print_summary(Console(file=out, width=200), outcome, line, windows=1, seconds=1.0)
    (sent,) = [line.strip() for line in out.getvalue().splitlines() if "Sent: " in line]
    assert sent == (
        "Sent: 1 model.incident.opened, "
        "1 model.action.awaiting_approval (asks people to decide on the rollback of 3.3.0)."
    )

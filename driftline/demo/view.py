"""The display of the demo while the story runs: what happens as it happens, and a panel on a terminal."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alerting.incidents.state import Step
from driftline.demo.acts import TimeLine
from driftline.demo.expectations import RETRAINING, ROLLBACK
from driftline.demo.installation import InstallationState
from driftline.demo.receiver import Arrival
from driftline.demo.sentences import delivery_words, guard_lines, movement_remark, without_head
from monitor.clock import iso_utc, monotonic_seconds
from monitor.humanize import printable
from monitor.types import IncidentStatus

_LINE_SECONDS = 10.0
_STYLES = {
    Step.OPENED: "bold yellow",
    Step.ESCALATED: "bold red",
    Step.REOPENED: "bold yellow",
    Step.JOINED: "bold yellow",
    Step.WORSENED: "bold red",
    Step.RESOLVED: "green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is known at one moment."""

    seen: InstallationState
    deliveries: tuple[Arrival, ...]
    total: int
    seconds: float
    doing: str


class StoryView:
    """Prints what happens as it happens; *quiet* prints nothing."""

    def __init__(self, console: Console, line: TimeLine, *, quiet: bool) -> None:
        self._console = console
        self._line = line
        self._quiet = quiet
        self._act = 0
        self._shown_steps: set[tuple[str, int, str]] = set()
        self._shown_actions: set[tuple[str, int]] = set()
        self._shown_deliveries = 0
        self._last_line = 0.0
        self._last_progress: tuple[object, ...] = ()
        self._explained_movement = False
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the panel meanwhile, where there is a terminal."""
        if self._quiet or not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as self._live:
            yield
        self._live = None

    def show_command(self, who: str, words: tuple[str, ...]) -> None:
        """Print a command that *who* gives."""
        self.say(f"  {who}: driftline {shlex.join(words)}", style="bold")

    def say(self, text: str, *, style: str = "") -> None:
        """Print one line above the panel."""
        if not self._quiet:
            self._console.print(Text(printable(text), style=style), soft_wrap=not self._console.is_terminal)

    def show(self, frame: Frame) -> None:
        """Print what is new since the last frame."""
        if self._quiet:
            return
        clock = frame.seen.judged_until
        if clock is not None:
            act = self._line.act_at(clock - 1)
            if act.number > self._act:
                self._act = act.number
                self.say(f"Act {act.number}: {act.title}", style="bold cyan")
                self.say(f"  {act.plot}", style="italic")
        self._show_steps(frame)
        self._show_actions(frame)
        self._show_deliveries(frame)
        if self._live is not None:
            self._live.update(self._panel(frame))
        elif monotonic_seconds() - self._last_line > _LINE_SECONDS:
            progress = (frame.seen.judged_until, frame.seen.records, frame.seen.windows, frame.doing)
            if progress != self._last_progress:  # the rate alone is no progress
                self._last_line, self._last_progress = monotonic_seconds(), progress
                self.say(self._status(frame), style="dim")

    def _show_steps(self, frame: Frame) -> None:
        steps = [
            (step.window_end, incident.incident, step) for incident in frame.seen.incidents for step in incident.steps
        ]
        for end, incident, step in sorted(steps, key=lambda step: step[0]):
            mark = (incident.id, end, step.step)
            if mark in self._shown_steps or step.step == Step.NOTHING:
                continue
            self._shown_steps.add(mark)
            tier = "" if step.step == Step.RESOLVED else f": {step.tier.word}"
            style = _STYLES.get(Step(step.step), "")
            self.say(f"  {_clock(end)}  {incident.kind} of {incident.version} {step.step}{tier}", style=style)
            detail = without_head(step.sentence)
            if detail != f"{incident.kind} incident resolved.":  # as the line above says
                self.say(f"      {detail}")
            remark = movement_remark(step.sentence)
            if remark is not None and not self._explained_movement:
                self._explained_movement = True
                self.say(f"      {remark}", style="dim")

    def _show_actions(self, frame: Frame) -> None:
        for line in guard_lines(frame.seen.actions):
            mark = (line.story.action.id, line.step)
            if mark not in self._shown_actions:
                self._shown_actions.add(mark)
                # What became of it later, of a person's answer say, has no window of its own.
                clock = "" if line.step else f"{_clock(line.story.action.window_end)}  "
                self.say(f"  {clock}{line.head}", style="bold magenta")
                self.say(f"      {line.why}")

    def _show_deliveries(self, frame: Frame) -> None:
        for delivery in frame.deliveries[self._shown_deliveries :]:
            proof = "signature verified" if delivery.verified else "SIGNATURE WRONG"
            if delivery.type in (RETRAINING, ROLLBACK) or delivery.to_approve:
                self.say(f"  -> received {delivery_words(delivery, proof=proof)}", style="bold magenta")
        self._shown_deliveries = len(frame.deliveries)

    def _status(self, frame: Frame) -> str:
        clock = frame.seen.judged_until
        rate = frame.seen.records / max(frame.seconds, 0.1)
        shown = "-" if clock is None else _clock(clock)
        return (
            f"  event clock {shown}, {frame.seen.records:,} of {frame.total:,} events ({rate:,.0f}/s), "
            f"{frame.seen.windows:,} windows judged; {frame.doing}"
        )

    def _panel(self, frame: Frame) -> Table:
        clock = frame.seen.judged_until
        opened = [
            incident.incident for incident in frame.seen.incidents if incident.incident.status is IncidentStatus.OPEN
        ]
        table = Table.grid(padding=(0, 2))
        act = self._line.act_at((clock or self._line.start) - 1)
        table.add_row("act", f"{act.number} of 4: {act.title}")
        table.add_row("event clock", "-" if clock is None else f"{_clock(clock)} UTC")
        rate = frame.seen.records / max(frame.seconds, 0.1)
        events = Table.grid(padding=(0, 1))
        events.add_row(
            ProgressBar(total=max(frame.total, 1), completed=frame.seen.records, width=40),
            f"{frame.seen.records:,} of {frame.total:,} ({rate:,.0f}/s)",
        )
        table.add_row("events", events)
        table.add_row("windows judged", f"{frame.seen.windows:,}")
        table.add_row("open incidents", ", ".join(f"{i.kind} {i.version} {i.tier.word}" for i in opened) or "none")
        table.add_row("received", f"{len(frame.deliveries)} deliveries")
        table.add_row("now", frame.doing)
        return table


def _clock(moment: int) -> str:
    return iso_utc(moment)[:16].replace("T", " ")

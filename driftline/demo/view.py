"""The state of the demo's installation, and its display while the story runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alerting.incidents.state import Step
from driftline.demo.acts import TimeLine
from driftline.demo.receiver import Arrival
from driftline.demo.story import Story
from monitor.clock import iso_utc, monotonic_seconds
from monitor.settings import Settings
from monitor.store.offsets import list_offsets
from monitor.store.views.incidents import IncidentStory, stories_of
from monitor.store.views.progress import SystemProgress, read_system_progress, windows_evaluated
from monitor.types import IncidentStatus, PartitionKey, Scale, TopicRole
from monitor.units import MINUTE_MILLIS

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
class InstallationState:
    """State of the installation at one moment; *counters* summed over all partitions."""

    records: int
    counted: int
    duplicates: int
    late: int
    dead: int
    newest_prediction: int | None
    windows: int
    progress: SystemProgress
    incidents: tuple[IncidentStory, ...]

    @property
    def judged_until(self) -> int | None:
        """How far event time has come in the alerter: the newest evaluated window end."""
        return max(self.progress.judged_until.values(), default=None)


def read_state(connection: sa.Connection) -> InstallationState:
    """Read the installation's state."""
    offsets = list_offsets(connection)
    newest = [
        offset.max_event_time
        for offset in offsets
        if offset.role is TopicRole.PREDICTIONS and offset.max_event_time is not None
    ]
    return InstallationState(
        records=sum(offset.counters.records for offset in offsets),
        counted=sum(offset.counters.counted for offset in offsets),
        duplicates=sum(offset.counters.duplicates for offset in offsets),
        late=sum(offset.counters.late for offset in offsets),
        dead=sum(offset.counters.dead for offset in offsets),
        newest_prediction=max(newest, default=None),
        windows=windows_evaluated(connection),
        progress=read_system_progress(connection),
        incidents=stories_of(connection, id_prefix=""),
    )


def positions(engine: sa.Engine) -> dict[PartitionKey, int]:
    """Return where the workers are."""
    with engine.connect() as connection:
        return {offset.key: offset.next_offset for offset in list_offsets(connection)}


def what_is_left(
    seen: InstallationState, *, story: Story, produced: int, scales: tuple[Scale, ...], settings: Settings
) -> str | None:
    """Return what is still to be done before the story can be judged, None when nothing is."""
    if seen.records < produced:
        return f"counting: {seen.records:,} of {produced:,} records"
    if seen.progress.labelled < story.predictions:
        return f"joining truths: {seen.progress.labelled:,} of {story.predictions:,}"
    assert seen.newest_prediction is not None
    watermark = seen.newest_prediction - settings.disorder_seconds * 1000
    for version in sorted({version for version, _ in seen.progress.judged_until}):
        for scale in scales:
            step = scale.step * MINUTE_MILLIS
            judged = seen.progress.judged_until.get((version, scale.length), 0)
            if judged < watermark // step * step:
                return f"judging windows of {scale} of {version}"
    if seen.progress.performance_due:
        return f"judging accuracy: {seen.progress.performance_due:,} minutes due"
    if seen.progress.deliveries_pending:
        return f"delivering: {seen.progress.deliveries_pending} left"
    return None


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
        self._shown_deliveries = 0
        self._last_line = 0.0
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

    def say(self, text: str, *, style: str = "") -> None:
        """Print one line above the panel."""
        if not self._quiet:
            self._console.print(Text(text, style=style), soft_wrap=not self._console.is_terminal)

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
        self._show_steps(frame)
        self._show_deliveries(frame)
        if self._live is not None:
            self._live.update(self._panel(frame))
        elif monotonic_seconds() - self._last_line > _LINE_SECONDS:
            self._last_line = monotonic_seconds()
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
            tier = "" if step.step == Step.RESOLVED else f" {step.tier.word}"
            style = _STYLES.get(Step(step.step), "")
            self.say(f"  {_clock(end)}  {incident.kind} of {incident.version} {step.step}:{tier}", style=style)
            self.say(f"      {step.sentence}")

    def _show_deliveries(self, frame: Frame) -> None:
        for delivery in frame.deliveries[self._shown_deliveries :]:
            proof = "signature verified" if delivery.verified else "SIGNATURE WRONG"
            if delivery.type.endswith(".requested"):
                way = f" {delivery.from_version} -> {delivery.to_version}" if delivery.to_version else ""
                self.say(f"  -> received {delivery.type}{way} ({proof})", style="bold magenta")
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

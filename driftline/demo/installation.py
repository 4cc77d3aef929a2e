"""The state of the demo's installation at one moment, and what is left to be done before the story goes on."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.settings import Settings
from monitor.store.offsets import list_offsets
from monitor.store.views.actions import ActionStory, list_actions
from monitor.store.views.incidents import IncidentStory, stories_of
from monitor.store.views.progress import SystemProgress, read_system_progress, windows_evaluated
from monitor.types import PartitionKey, Scale, TopicRole
from monitor.units import MINUTE_MILLIS

_ACTIONS_AT_MOST = 200


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
    actions: tuple[ActionStory, ...]

    @property
    def judged_until(self) -> int | None:
        """How far event time has come in the alerter: the newest evaluated window end."""
        return max(self.progress.judged_until.values(), default=None)


def read_state(connection: sa.Connection) -> InstallationState:
    """Read the installation's state."""
    # Before the incidents that they are of: an action is then never shown earlier than what it was decided on.
    actions = list_actions(connection, waiting=False, refused=True, limit=_ACTIONS_AT_MOST)
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
        actions=actions[::-1],
    )


def positions(engine: sa.Engine) -> dict[PartitionKey, int]:
    """Return where the workers are."""
    with engine.connect() as connection:
        return {offset.key: offset.next_offset for offset in list_offsets(connection)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How many records must be counted, and truths joined, before the story goes on; *truths* None: whatever they are.

    Joining truths takes longer than counting, so it is waited for only where the guard needs labels.
    """

    records: int
    truths: int | None


def what_is_left(
    seen: InstallationState, expected: Expected, *, scales: tuple[Scale, ...], settings: Settings
) -> str | None:
    """Return what is still to be done before the story can go on, None when nothing is."""
    if seen.records < expected.records:
        return f"counting: {seen.records:,} of {expected.records:,} records"
    if expected.truths is not None and seen.progress.labelled < expected.truths:
        return f"joining truths: {seen.progress.labelled:,} of {expected.truths:,}"
    assert seen.newest_prediction is not None
    watermark = seen.newest_prediction - settings.disorder_seconds * 1000
    for version in sorted({version for version, _ in seen.progress.judged_until}):
        for scale in scales:
            step = scale.step * MINUTE_MILLIS
            judged = seen.progress.judged_until.get((version, scale.length), 0)
            if judged < watermark // step * step:
                return f"judging windows of {scale} of {version}"
    if expected.truths is not None and seen.progress.performance_due:
        return f"judging accuracy: {seen.progress.performance_due:,} minutes due"
    if seen.progress.deliveries_pending:
        return f"delivering: {seen.progress.deliveries_pending} left"
    return None

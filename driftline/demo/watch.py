"""Looks at the running demo from outside: what is counted, judged, open, sent; and whether it is all done."""

from dataclasses import dataclass

import sqlalchemy as sa

from driftline.demo.story import Story
from monitor.settings import Settings
from monitor.store.offsets import list_offsets
from monitor.store.views.incidents import IncidentStory, stories_of
from monitor.store.views.progress import Progress, read_progress, windows_evaluated
from monitor.types import MINUTE_MILLIS, PartitionKey, Scale, TopicRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look; *counters* summed over all partitions."""

    records: int
    counted: int
    duplicates: int
    late: int
    dead: int
    newest_prediction: int | None
    windows: int
    progress: Progress
    incidents: tuple[IncidentStory, ...]

    @property
    def judged_until(self) -> int | None:
        """How far event time has come in the alerter: the newest evaluated window end."""
        return max(self.progress.judged_until.values(), default=None)


def look(connection: sa.Connection) -> Look:
    """Return how everything stands."""
    offsets = list_offsets(connection)
    newest = [
        each.max_event_time
        for each in offsets
        if each.role is TopicRole.PREDICTIONS and each.max_event_time is not None
    ]
    return Look(
        records=sum(each.counters.records for each in offsets),
        counted=sum(each.counters.counted for each in offsets),
        duplicates=sum(each.counters.duplicates for each in offsets),
        late=sum(each.counters.late for each in offsets),
        dead=sum(each.counters.dead for each in offsets),
        newest_prediction=max(newest, default=None),
        windows=windows_evaluated(connection),
        progress=read_progress(connection),
        incidents=stories_of(connection, id_prefix=""),
    )


def positions(engine: sa.Engine) -> dict[PartitionKey, int]:
    """Return where the workers are."""
    with engine.connect() as connection:
        return {each.key: each.next_offset for each in list_offsets(connection)}


def what_is_left(
    seen: Look, *, story: Story, produced: int, scales: tuple[Scale, ...], settings: Settings
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

"""How far everything is: windows judged, truths joined, what is still due."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import (
    evaluation,
    outbox,
    performance_due,
    performance_evaluation,
    performance_sum,
    scale_progress,
    series,
)
from monitor.types import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemProgress:
    """How far everything is.

    Attributes:
        judged_until: Latest evaluated window end (ms) of each (version, length in minutes).
        labelled, correct: Predictions that met their truth, and those that came true.
        performance_due: Prediction minutes whose accuracy is still to be judged.
        deliveries_pending: Outbox rows that wait to be sent.
    """

    judged_until: dict[tuple[str, int], int]
    labelled: int
    correct: int
    performance_due: int
    deliveries_pending: int


def read_system_progress(connection: sa.Connection) -> SystemProgress:
    """Return how far evaluation, truths and deliveries are, over all models and whole series."""
    ends = connection.execute(
        sa.select(series.c.version, scale_progress.c.length, sa.func.max(scale_progress.c.evaluated_until))
        .join(series, series.c.model_id == scale_progress.c.model_id)
        .where(series.c.segment_tag == "")
        .group_by(series.c.version, scale_progress.c.length)
    )
    labelled, correct = connection.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(performance_sum.c.labelled), 0),
            sa.func.coalesce(sa.func.sum(performance_sum.c.correct), 0),
        )
        .join(series, series.c.id == performance_sum.c.series_id)
        .where(series.c.segment_tag == "", performance_sum.c.span == 60)
    ).one()
    due = sa.select(sa.func.count()).select_from(performance_due)
    pending = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == DeliveryState.PENDING.value)
    return SystemProgress(
        judged_until={(version, length): int(end) for version, length, end in ends},
        labelled=int(labelled),
        correct=int(correct),
        performance_due=int(connection.execute(due).scalar_one()),
        deliveries_pending=int(connection.execute(pending).scalar_one()),
    )


def windows_evaluated(connection: sa.Connection) -> int:
    """Return how many windows were ever evaluated, drift and performance, first revisions only.

    It reads every row of both tables: for a database of a few minutes, such as the demo's.
    """
    counts = (
        sa.select(sa.func.count()).select_from(table).where(table.c.revision == 0)
        for table in (evaluation, performance_evaluation)
    )
    return sum(int(connection.execute(count).scalar_one()) for count in counts)

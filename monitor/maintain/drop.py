"""Drops what is past its retention, measured in event time for what events filled."""

import sqlalchemy as sa

from monitor.settings import Settings
from monitor.store.retention import (
    drop_ledger_week,
    drop_old_dedup,
    drop_old_flushes,
    drop_old_panes,
    drop_old_truths,
    ledger_weeks,
    newest_event_time,
)
from monitor.store.unseen import drop_old_unseen

DAY_MILLIS = 86_400_000
FLUSH_DAYS = 7


def drop_expired(engine: sa.Engine, settings: Settings) -> int:
    """Drop what is past its retention: ledger weeks, panes, unseen values, truths, dedup hashes, flush rows.

    Returns how many rows; dropped ledger weeks count as one row each.
    """
    with engine.connect() as connection:
        newest = newest_event_time(connection)
        weeks = ledger_weeks(connection)
    dropped = 0
    if newest is not None:
        oldest_kept = newest - settings.ledger_retention_days * DAY_MILLIS
        for week in weeks:
            if week.stop <= oldest_kept:
                with engine.begin() as connection:
                    drop_ledger_week(connection, week)
                dropped += 1
        with engine.begin() as connection:
            before = newest - settings.pane_retention_days * DAY_MILLIS
            dropped += drop_old_panes(connection, before=before) + drop_old_unseen(connection, before=before)
    with engine.begin() as connection:
        dropped += drop_old_truths(connection, days=settings.ledger_retention_days)
        dropped += drop_old_dedup(connection, horizon=settings.dedup_horizon)
        dropped += drop_old_flushes(connection, days=FLUSH_DAYS)
    return dropped

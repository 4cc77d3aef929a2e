"""The database's clock: the one that decides freshness, cooldowns, leases and deadlines for every process alike."""

import sqlalchemy as sa


def database_now_millis(connection: sa.Connection) -> int:
    """Return the wall clock of the database, not of this transaction's start, in epoch milliseconds."""
    return int(
        connection.execute(sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar_one()
    )

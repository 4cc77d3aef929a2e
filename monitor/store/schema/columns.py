"""What all tables share: the metadata and its naming, wall-clock and JSON columns."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# Event times are epoch milliseconds in bigint: counts, windows and cuts are integer arithmetic everywhere.
# Wall-clock times, which only people and schedules read, are timestamptz written by the database's own clock.


def wall(name: str, *, nullable: bool = False) -> sa.Column:  # type: ignore[type-arg]  # one helper for typed and nullable
    default = None if nullable else sa.text("clock_timestamp()")
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def json_column(name: str, *, nullable: bool = False) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, JSONB, nullable=nullable)

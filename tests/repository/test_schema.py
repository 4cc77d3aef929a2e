"""The schema in code and the schema that the migrations build are one."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from monitor.store.migrate import require_current_schema, upgrade
from monitor.store.schema import metadata


def test_migrations_build_exactly_the_schema_in_code(engine: sa.Engine) -> None:
    """Alembic finds nothing to change between a migrated database and `monitor.store.schema`."""
    with engine.connect() as connection:
        partitions = set(connection.execute(sa.text("SELECT relname FROM pg_class WHERE relispartition")).scalars())
        options = {
            "compare_server_default": True,
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or name not in partitions,
        }
        context = MigrationContext.configure(connection, opts=options)
        result = compare_metadata(context, metadata)
    assert result == []


def test_migrating_twice_changes_nothing(engine: sa.Engine, database_url: str) -> None:
    """`driftline migrate` may run at every deployment."""
    upgrade(database_url)
    require_current_schema(engine)

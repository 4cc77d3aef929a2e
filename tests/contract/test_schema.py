"""The schema in code and the schema that the migrations build are one."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from monitor.errors import SchemaVersionError
from monitor.store.migrate import head, require_current_schema, upgrade
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
        found = compare_metadata(context, metadata)
    assert found == []


def test_migrating_twice_changes_nothing(engine: sa.Engine, database_url: str) -> None:
    """`driftline migrate` may run at every deployment."""
    upgrade(database_url)
    require_current_schema(engine)


@pytest.mark.parametrize(("found", "advice"), [("9999", "Start the newer program"), (None, "Run `driftline migrate`")])
def test_a_program_refuses_a_schema_that_is_not_its_own(engine: sa.Engine, found: str | None, advice: str) -> None:
    """A newer schema and a missing one are refused, each with what to do (F26)."""
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
        if found:
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:found)"), {"found": found})
    with pytest.raises(SchemaVersionError, match=head()) as caught:
        require_current_schema(engine)
    assert advice in str(caught.value)

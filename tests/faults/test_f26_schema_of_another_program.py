"""F26: the schema is newer than the program, or missing; it refuses to start, and says which and what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.errors import SchemaVersionError
from monitor.store.migrate import head, require_current_schema

NEWER = "9999"
NOT_READY = 3  # the exit code of a service that is not reachable or a schema that is not current


def stamp(engine: Engine, revision: str | None) -> None:
    """Have the database say that its schema is *revision*."""
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


@pytest.mark.parametrize(
    ("revision", "advice"), [(NEWER, "Start the newer program"), (None, "Run `driftline migrate`")]
)
def test_a_schema_of_another_program_is_refused(engine: Engine, revision: str | None, advice: str) -> None:
    """The message names the expected schema, the one that was found, and what to do."""
    stamp(engine, revision)
    with pytest.raises(SchemaVersionError, match=head()) as caught:
        require_current_schema(engine)
    assert advice in str(caught.value)
    assert (revision or "none") in str(caught.value)


@pytest.mark.parametrize("role", ["ingest", "alerter", "maintain"])
def test_no_role_starts_on_a_newer_schema(engine: Engine, database_url: str, role: str, tmp_path: Path) -> None:
    """It ends at once with the exit code for it and one message, before it reads or writes anything."""
    stamp(engine, NEWER)
    environment = {**os.environ, "DRIFTLINE_DATABASE_URL": database_url, "DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    ended = subprocess.run(
        [sys.executable, "-m", "driftline", role],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == NOT_READY, ended.stderr
    assert "newer than this program. Start the newer program." in ended.stderr
    assert "Traceback" not in ended.stderr

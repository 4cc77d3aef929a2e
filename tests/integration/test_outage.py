"""What a real Postgres says when it cannot, and when it will not: each lands on its side of the list of outages."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.errors import RefusedByDatabaseError, UnavailableError
from monitor.store.copy_text import copy_lines
from monitor.store.engine import driver_connection
from monitor.store.outage import named_outage

Act = Callable[[sa.Connection], object]


def run(*statements: str) -> Act:
    def act(connection: sa.Connection) -> None:
        for statement in statements:
            connection.execute(sa.text(statement))

    return act


def copy(connection: sa.Connection, lines: list[str]) -> None:
    copy_lines(driver_connection(connection), "COPY truth_inbox (model_id) FROM STDIN", lines)


OUTAGES: list[tuple[str, Act]] = [
    ("read-only", run("SET TRANSACTION READ ONLY", "DELETE FROM flush")),
    ("statement timeout", run("SET LOCAL statement_timeout = '10ms'", "SELECT pg_sleep(5)")),
    ("transaction timeout", run("SET LOCAL transaction_timeout = '10ms'", "SELECT pg_sleep(5)")),
    ("ended by an administrator", run("SELECT pg_terminate_backend(pg_backend_pid())")),
    ("no partition for the row", run(
        "INSERT INTO prediction_ledger (model_id, prediction_hash, version, output, series_ids, event_time, topic,"
        ' partition, "offset", row) VALUES (1, gen_random_uuid(), \'\', \'\', \'{1}\', 1, \'p\', 0, 0, 0)'
    )),
]  # fmt: skip
REFUSALS: list[tuple[str, str | None, Act]] = [
    ("statement too complex", "54001", run("SELECT " + "+".join(["1"] * 50_000))),
    ("numeric value out of range", "22003", run("SELECT CAST(10000000000 AS integer)")),
    ("constraint", "23514", run(
        "CREATE TEMP TABLE checked (number integer CHECK (number > 0))", "INSERT INTO checked VALUES (0)"
    )),
    ("text in a number's place under COPY", "22P02", lambda connection: copy(connection, ["no number"])),
    ("NUL in a text", None, lambda connection: connection.execute(sa.text("SELECT :text"), {"text": "\0"})),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "act"), OUTAGES, ids=[kind for kind, _ in OUTAGES])
def test_an_outage_is_unavailable(engine: Engine, kind: str, act: Act) -> None:
    """What passes is named `UnavailableError` with its kind."""
    with pytest.raises(UnavailableError, match=kind), named_outage(engine, "trying"), engine.begin() as connection:
        act(connection)


@pytest.mark.parametrize(
    ("sqlstate", "act"), [refusal[1:] for refusal in REFUSALS], ids=[refusal[0] for refusal in REFUSALS]
)
def test_a_refusal_is_no_outage(engine: Engine, sqlstate: str | None, act: Act) -> None:
    """What comes again is named `RefusedByDatabaseError` with its SQLSTATE."""
    with pytest.raises(RefusedByDatabaseError) as caught, named_outage(engine, "trying"), engine.begin() as connection:
        act(connection)
    assert caught.value.sqlstate == sqlstate

"""One list says what is waited for: every SQLSTATE is an outage or a refusal, never both, wrapped or bare."""

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors

from monitor.errors import RefusedByDatabaseError, UnavailableError
from monitor.store.outage import driver_error_named, named_outage, outage_of, server_words

ENGINE = sa.create_engine("postgresql+psycopg://someone:geheim@nowhere:5432/driftline")


def wrapped(error: psycopg.Error) -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError("SELECT 1", None, error)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", "connection lost"),
        ("25006", "read-only, as after a failover"),
        ("25P03", "ended for idling in a transaction"),
        ("40001", "serialization failure"),
        ("40P01", "deadlock"),
        ("53100", "disk full"),
        ("53300", "too many connections"),
        ("53400", "out of resources"),
        ("55P03", "lock not available"),
        ("57014", "statement timeout or cancelled"),
        ("57P01", "shutting down, or ended by an administrator"),
        ("57P02", "crashed, recovering"),
        ("57P03", "starting up"),
        ("58030", "system error under Postgres"),
    ],
)
def test_what_passes_is_an_outage(sqlstate: str, kind: str) -> None:
    """Connection, shutdown, resources, read-only, locks and time-outs are waited for, wrapped by SQLAlchemy or not."""
    error = errors.lookup(sqlstate)("the server's words")
    assert outage_of(error) == outage_of(wrapped(error)) == kind


@pytest.mark.parametrize(
    "sqlstate",
    [
        "22001",
        "22003",
        "22P02",
        "23502",
        "23503",
        "23505",
        "42501",
        "42601",
        "42703",
        "42P01",
        "54001",
        "XX000",
        "XX001",
    ],
)
def test_what_comes_again_is_refused(sqlstate: str) -> None:
    """Data, constraints, syntax, a statement too complex: not waited for, and the error carries code and words."""
    error = errors.lookup(sqlstate)("the server's words")
    assert outage_of(error) is None
    result = driver_error_named(wrapped(error), engine=ENGINE, doing="flushing counts")
    assert isinstance(result, RefusedByDatabaseError)
    assert (result.sqlstate, result.words) == (sqlstate, "the server's words")
    assert "flushing counts" in str(result)
    assert "geheim" not in str(result)


def test_every_other_code_is_a_refusal() -> None:
    """Of all codes that Postgres has, these and no others are outages (23514 only where it names no constraint)."""
    known = {
        error.sqlstate: error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }
    outages = {sqlstate for sqlstate, error in known.items() if outage_of(error("words"))}
    assert {outage[:2] for outage in outages} == {"08", "23", "25", "40", "53", "55", "57", "58"}
    assert {outage for outage in outages if outage[:2] in ("23", "25", "40", "55", "57")} == {
        *("23514", "25006", "25P03", "25P04", "40001", "40003", "40P01", "55P03"),
        *("57014", "57P01", "57P02", "57P03", "57P05"),
    } & set(known)  # fmt: skip
    assert len(known) > 200


def test_what_no_server_said_is_a_lost_connection_unless_it_is_our_own_misuse() -> None:
    """No SQLSTATE: a silent server is an outage; a NUL in a text, or a wrong placeholder, is not."""
    assert outage_of(psycopg.OperationalError("server closed the connection unexpectedly")) == "connection lost"
    assert outage_of(psycopg.InterfaceError("the connection is closed")) == "connection lost"
    assert outage_of(sa.exc.TimeoutError("QueuePool limit")) == "no free connection in the pool"
    assert outage_of(psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")) is None
    assert outage_of(psycopg.ProgrammingError("the query has 0 placeholders")) is None
    assert outage_of(ValueError("not a database's")) is None


def test_errors_of_our_own_pass_untouched() -> None:
    """What is no database error keeps its type through the context manager; nested contexts name it once."""
    with pytest.raises(ZeroDivisionError), named_outage(ENGINE, "counting"):
        _ = 1 / 0
    with (
        pytest.raises(UnavailableError, match=r"inner: connection lost: reset by peer\n"),
        named_outage(ENGINE, "outer"),
        named_outage(ENGINE, "inner"),
    ):
        raise psycopg.OperationalError("reset by peer")


def test_the_words_are_one_bounded_line() -> None:
    """Neither a statement of a megabyte nor line ends come into a log line."""
    assert server_words(psycopg.OperationalError("a\n  b\n")) == "a b"
    assert len(server_words(psycopg.OperationalError("x" * 10**6))) == 500

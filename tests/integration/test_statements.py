"""A steady system reads what it needs: no statement looks at ten times the rows that come of it."""

import pytest
from sqlalchemy import Engine

from benchmarks.statements.explained import Explained, explaining
from benchmarks.statements.fill import Size, fill, settle
from benchmarks.statements.minute import SteadySystem
from monitor.store.schema import flush

SMALL = Size(models=10, columns=5, days=3, dead_versions=40, truths=20_000, evaluated_hours=48)
# Who must have been explained, by words that only one of them says: the roles, and `driftline status`.
SEEN = (
    "INSERT INTO evaluation", "INSERT INTO joined", "UPDATE input_offset", "DELETE FROM pane", "FROM outbox",
    "performance_evaluation.low",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_statement_of_a_steady_minute_reads_ten_times_what_it_returns(engine: Engine, database_url: str) -> None:
    """A flush, ten models' turns, deliveries, a round of maintain, a status, after a minute that took up the slack."""
    end = fill(engine, SMALL)
    system = SteadySystem(engine, url=database_url, end=end)
    system.minute()
    settle(engine)
    with system.explained() as statements:
        system.minute()
    texts = [explained.statement for explained in statements]
    assert [role for role in SEEN if not any(role in text for text in texts)] == []
    assert [
        (explained.statement, explained.read, explained.returned)
        for explained in statements
        if explained.reads_too_much
    ] == []


def test_a_statement_that_reads_a_table_for_a_row_is_found(engine: Engine) -> None:
    """What the test above asks is asked of a query without an index, too, and of one that changes rows."""
    with engine.begin() as connection:
        connection.execute(flush.insert(), [{"worker": str(number % 2), "ranges": []} for number in range(3000)])
    with explaining(engine) as statements, engine.begin() as connection:
        connection.execute(flush.select().where(flush.c.worker == "none")).all()
        connection.execute(flush.delete().where(flush.c.worker == "1"))
        connection.execute(flush.select().where(flush.c.id == 1)).all()
    assert [(explained.read, explained.returned, explained.reads_too_much) for explained in statements] == [
        (3000, 0, True),
        (3000, 1500, False),
        (1, 1, False),
    ]
    assert all(isinstance(explained, Explained) for explained in statements)
    with engine.connect() as connection:
        assert connection.execute(flush.select()).rowcount == 1500

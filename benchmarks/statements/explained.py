"""Every statement that an engine runs, under EXPLAIN (ANALYZE): the rows that were read and those that came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

ENOUGH = 200  # rows that any statement may read: a page or two of an index
TIMES = 10
_READERS = {
    "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan", "Tid Range Scan", "Sample Scan",
}  # fmt: skip
_EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One statement as it was run: rows it read of tables, rows it returned or changed, buffers it touched."""

    statement: str
    read: int
    returned: int
    buffers: int
    plan: dict[str, Any]

    @property
    def reads_too_much(self) -> bool:
        """Whether it read more than ten rows for each that came of it, and more than a few at all."""
        return self.read > TIMES * self.returned + ENOUGH


@contextmanager
def explaining(engine: sa.Engine) -> Iterator[list[Explained]]:
    """Give the list that every statement on *engine* is added to, each explained just before it is run.

    The explained one is rolled back, so nothing is done twice. COPY and statements about the schema have no plan.
    """
    results: list[Explained] = []

    def explain(
        connection: sa.Connection, cursor: psycopg.Cursor, statement: str, parameters: Any, context: object, many: bool
    ) -> None:
        if not statement.lstrip().upper().startswith(_EXPLAINED):
            return
        given = parameters[0] if many else parameters
        driver = cursor.connection
        with driver.transaction(force_rollback=True), driver.cursor() as own:
            own.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode(), given)
            row = own.fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        results.append(
            Explained(
                statement=" ".join(statement.split()),
                read=_read(plan),
                returned=_returned(plan),
                buffers=plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0),
                plan=plan,
            )
        )

    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        yield results
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _read(plan: dict[str, Any]) -> int:
    """Return the rows that scans of tables looked at, those that a filter then left out among them; not catalogues."""
    rows = 0.0
    for node in _nodes(plan):
        if node["Node Type"] in _READERS and not node.get("Relation Name", "").startswith("pg_"):
            looked = node["Actual Rows"]
            looked += node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows += looked * node["Actual Loops"]
    return round(rows)


def _returned(plan: dict[str, Any]) -> int:
    """Return the rows that came of it: those of the answer, and those that were changed."""
    changed = [child for node in _nodes(plan) if node["Node Type"] == "ModifyTable" for child in node["Plans"]]
    rows = [node["Actual Rows"] * node["Actual Loops"] for node in (plan, *changed)]
    return round(max(rows))

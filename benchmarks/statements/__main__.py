"""Fills a database, runs one steady minute of all roles under EXPLAIN, and shows which statements read too much."""

import argparse
import json
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.statements.explained import Explained
from benchmarks.statements.fill import Size, fill, settle
from benchmarks.statements.minute import SteadySystem
from monitor.clock import monotonic_seconds
from monitor.store.engine import make_engine
from monitor.store.migrate import upgrade
from tests.services.postgres import PostgresServer


def main() -> None:
    """Measure, print the statements that read the most, and end with 1 where one reads too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("models", 100), ("columns", 100), ("days", 30), ("dead-versions", 20), ("truths", 300_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--plans", action="store_true", help="print the plans of those that read too much")
    arguments = parser.parse_args()
    size = Size(
        models=arguments.models, columns=arguments.columns, days=arguments.days,
        dead_versions=arguments.dead_versions, truths=arguments.truths, evaluated_hours=24 * arguments.days,
    )  # fmt: skip
    console = Console()
    with tempfile.TemporaryDirectory(prefix="driftline-statements-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with PostgresServer(directory / "pg", durable=False) as server:
            url = server.create_database("statements")
            upgrade(url)
            engine = make_engine(url)
            began = monotonic_seconds()
            end = fill(engine, size)
            console.print(f"filled in {monotonic_seconds() - began:.0f} s")
            system = SteadySystem(engine, url=url, end=end)
            system.minute()  # what the fill left to be done, and what each process reads at its start
            settle(engine)
            with system.explained() as statements:
                system.minute()
            engine.dispose()
    _print(console, statements, plans=arguments.plans)
    raise SystemExit(any(statement.reads_too_much for statement in statements))


def worst(statements: list[Explained]) -> list[Explained]:
    """Return each statement once, as it read the most for what came of it, the worst first."""
    by_text: dict[str, Explained] = {}
    for statement in statements:
        known = by_text.get(statement.statement)
        if known is None or _excess(statement) > _excess(known):
            by_text[statement.statement] = statement
    return sorted(by_text.values(), key=_excess, reverse=True)


def _excess(explained: Explained) -> float:
    return explained.read - 10.0 * explained.returned


def _print(console: Console, statements: list[Explained], *, plans: bool) -> None:
    by_excess = worst(statements)
    console.print(f"{len(statements)} statements, {len(by_excess)} different; read, returned, buffers of the worst:")
    for statement in by_excess[:25]:
        mark = "!" if statement.reads_too_much else " "
        console.print(
            f"{mark} {statement.read:8,} {statement.returned:8,} {statement.buffers:8,}  {statement.statement[:160]}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        if plans and statement.reads_too_much:
            console.print(json.dumps(statement.plan, indent=1), markup=False, highlight=False)


if __name__ == "__main__":
    main()

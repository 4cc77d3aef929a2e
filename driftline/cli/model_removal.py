"""`driftline models remove`: everything that is stored of one model, shown first, removed with --yes."""

import time
from collections import Counter
from typing import Annotated

import typer

from driftline.cli.console import AsJson, print_json, print_table
from driftline.cli.database import opened_database
from driftline.cli.exits import WrongUseError
from monitor.settings import load_settings
from monitor.store.configuration import model_named, model_names
from monitor.store.model_removal import StoredPart, remove_model, stored_parts, withdraw_model

PAUSE_SECONDS = 2.0


def remove(
    model: Annotated[str, typer.Argument(help="The model's name, or NAMESPACE/NAME.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, show what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a model and all that is stored of it: counts, predictions, verdicts, incidents, dead letters.

    The roles may go on: they stop working for it first. Its events that are still sent are those of a model that nobody
    applied (the setting `unknown_model`). Deliveries of it that wait are not made. Ended in its middle, run it again.
    """
    with opened_database(load_settings()) as engine:
        with engine.connect() as connection:
            model_id = model_named(connection, model)
            if model_id is None:
                known = ", ".join(model_names(connection)) or "none"
                raise WrongUseError(f"{model}: expected an applied model, found only: {known}")
            found = stored_parts(connection, model_id)
        if not yes:
            _show(model, found, as_json=as_json)
            return
        with engine.begin() as connection:
            withdraw_model(connection, model_id)
        removed: Counter[str] = Counter()
        remove_model(
            engine,
            model_id,
            pause=lambda: time.sleep(PAUSE_SECONDS),
            on_deleted=lambda table, rows: removed.update({table: rows}),
        )
    if as_json:
        print_json({"model": model, "removed": True, "rows": dict(removed)})
        return
    typer.echo(f"{model} is removed, with {removed.total():,} rows. Events of it that still come are nobody's.")


def _show(model: str, found: tuple[StoredPart, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"model": model, "removed": False, "tables": found})
        return
    print_table(
        f"Stored of {model}",
        ("table", "rows", "bytes, about"),
        [(part.table, f"{part.rows:,}", f"{part.bytes:,}") for part in found],
        empty="nothing but its name",
    )
    typer.echo("Nothing is removed yet: the same with --yes removes all of it, for good.")

"""`driftline models`: those that are stopped, resumed or removed."""

import time
from collections import Counter
from typing import Annotated

import sqlalchemy as sa
import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import ModelName, opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.settings import load_settings
from monitor.store.configuration import Configuration, load_configuration, model_named, model_names
from monitor.store.model_intake import StoppedModel, resume_model, stopped_models
from monitor.store.model_removal import StoredPart, remove_model, stored_parts, withdraw_model

PAUSE_SECONDS = 2.0

app = typer.Typer(no_args_is_help=True, help="Show the applied models, let a stopped one go on, or remove one.")


def remove(
    model: ModelName,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, show what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a model and all that is stored of it: counts, predictions, verdicts, incidents, dead letters.

    The roles may go on: they stop working for it first. Its events that are still sent are those of a model that nobody
    applied (the setting `unknown_model`). Deliveries of it that wait are not made. Ended in its middle, run it again.
    """
    with opened_database(load_settings()) as engine:
        with engine.connect() as connection:
            model_id = _applied_model(connection, model)
            parts = stored_parts(connection, model_id)
        if not yes:
            _show(model, parts, as_json=as_json)
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
    print_line(f"{model} is removed, with {removed.total():,} rows. Events of it that still come are nobody's.")


def _show(model: str, parts: tuple[StoredPart, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"model": model, "removed": False, "tables": parts})
        return
    print_table(
        f"Stored of {model}",
        ("table", "rows", "bytes, about"),
        [(part.table, f"{part.rows:,}", f"{part.bytes:,}") for part in parts],
        empty="nothing but its name",
    )
    print_line("Nothing is removed yet: the same with --yes removes all of it, for good.")


app.command("remove")(remove)


@app.command("list")
def show(as_json: AsJson = False) -> None:
    """List every applied model, and of those in trouble what is the matter and what to do."""
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        configuration = load_configuration(connection)
        stopped = stopped_models(connection)
    if as_json:
        print_json(
            {
                "models": [model.key for model in configuration.models],
                "unreadable_specs": configuration.unreadable,
                "stopped_models": stopped,
            }
        )
        return
    troubles = model_troubles(configuration, stopped)
    names = sorted(configuration.names.values())
    print_table(
        "Models",
        ("model", "counted"),
        [(name, "in part, or not at all" if str(name) in troubles else "yes") for name in names],
        notes=["; ".join(troubles.get(str(name), ())) for name in names],
        empty="none is applied; see `driftline init` and `driftline apply`",
    )


@app.command()
def resume(model: ModelName, as_json: AsJson = False) -> None:
    """Count a stopped model again, from its next record on. Look first why it stopped: `models list`.

    Bad records that are in the topic by now do not stop it again. What became dead letters meanwhile comes back with
    `driftline dead-letters replay --reason model_stopped --model MODEL`.
    """
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        model_id = _applied_model(connection, model)
        stopped = resume_model(connection, model_id)
        if not stopped:
            others = ", ".join(sorted({str(stop.model) for stop in stopped_models(connection)})) or "none"
            raise WrongUseError(f"{model}: expected a stopped model; stopped are: {others}")
    if as_json:
        print_json({"resumed": stopped})
        return
    for stop in stopped:
        print_line(f"{stop.model} goes on in {stop.source}; it had stopped because: {stop.reason}")
    print_line(
        "What became dead letters meanwhile: `driftline dead-letters replay --reason model_stopped"
        f" --model {stopped[0].model}`."
    )


def _applied_model(connection: sa.Connection, name: str) -> int:
    model_id = model_named(connection, name)
    if model_id is None:
        known = ", ".join(model_names(connection)) or "none"
        raise WrongUseError(f"{name}: expected an applied model, found only: {known}")
    return model_id


def model_troubles(configuration: Configuration, stopped: tuple[StoppedModel, ...]) -> dict[str, list[str]]:
    """Return what is the matter with each model that is in trouble, by the name that people write."""
    troubles: dict[str, list[str]] = {}
    for unreadable in configuration.unreadable:
        troubles.setdefault(str(unreadable.key), []).append(unreadable.problem)
    for stop in stopped:
        sentence = f"stopped in {stop.source}: {stop.reason}; then run `driftline models resume {stop.model}`"
        troubles.setdefault(str(stop.model), []).append(sentence)
    return troubles

"""`driftline hold`, `release`, `holds`: stop the actions of one model, a namespace or all, and let them go on."""

from enum import StrEnum
from getpass import getuser
from typing import Annotated

import sqlalchemy as sa
import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import Limit, opened_database, span_option
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.action_holds import ActionHold, HoldScope
from monitor.humanize import moment
from monitor.settings import load_settings
from monitor.store.action_holds import active_holds, past_holds, place_hold, release_holds
from monitor.store.configuration import model_key, model_named, model_names, namespaces
from monitor.store.database_clock import database_now_millis
from monitor.types import ActionKind
from monitor.units import DAY_MILLIS


class HeldKind(StrEnum):
    """Which actions a hold stops, where it does not stop all."""

    ROLLBACK = "rollback"
    RETRAIN = "retrain"


LONGEST_HOLD_MILLIS = 3650 * DAY_MILLIS

_KINDS = {HeldKind.ROLLBACK: ActionKind.ROLLBACK, HeldKind.RETRAIN: ActionKind.RETRAINING}

Model = Annotated[str | None, typer.Argument(help="The model's name, or NAMESPACE/NAME.")]
OfNamespace = Annotated[str | None, typer.Option("--namespace", help="Every model of this namespace.")]
OfAll = Annotated[bool, typer.Option("--all", help="Every model.")]
Who = Annotated[str | None, typer.Option("--as", help="Who does it; default the user of this computer.")]


def hold(
    model: Model = None,
    namespace: OfNamespace = None,
    everything: OfAll = False,
    kind: Annotated[HeldKind | None, typer.Option(help="Only these actions; without, every kind.")] = None,
    why: Annotated[str, typer.Option(help="The reason, shown wherever an action is refused by it.")] = "",
    for_: Annotated[str | None, typer.Option("--for", help="How long, as 4h; without, until it is released.")] = None,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Stop the actions of one model, of a namespace or of all: nothing is asked of other systems any more.

    It takes effect at once in every alerter, for what waits to be sent and for approvals too: held within its deadline
    an action is sent once it is released, past it it expires and people are notified. Incidents and messages go on.

    A hold takes the place of an earlier one of the very same scope. Exit code 2: no such model, or no reason.
    """
    if not why.strip():
        raise WrongUseError("hold: expected a reason (--why TEXT), found none")
    span = span_option("--for", for_)
    if span is not None and not 0 < span <= LONGEST_HOLD_MILLIS:
        raise WrongUseError(f"--for: expected more than 0h, as 4h or 7d, and at most 3650d, found {for_}")
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        scope, model_id = _scope(connection, model, namespace, everything, kind)
        now = database_now_millis(connection)
        placed, replaced = place_hold(
            connection,
            scope,
            model_id=model_id,
            who=who or getuser(),
            why=why.strip(),
            now_millis=now,
            until=None if span is None else now + span,
        )
    if as_json:
        print_json({"hold": placed, "replaced": replaced})
        return
    for earlier in replaced:
        print_line(f"Replaced: {earlier.words}.")
    print_line(f"Held: {placed.words}.")


def release(
    model: Model = None,
    namespace: OfNamespace = None,
    everything: OfAll = False,
    kind: Annotated[HeldKind | None, typer.Option(help="Only the hold of these actions; without, every one.")] = None,
    why: Annotated[str, typer.Option(help="The reason, stored with the release.")] = "",
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Release what was held with the same scope: `--all` releases the hold of all models, not those of each model.

    Exit code 2: nothing is held so; the message says what is.
    """
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        scope, _ = _scope(connection, model, namespace, everything, kind)
        now = database_now_millis(connection)
        active = active_holds(connection, now_millis=now)
        of_scope = tuple(
            placed
            for placed in active
            if (placed.scope.model, placed.scope.namespace) == (scope.model, scope.namespace)
            and (kind is None or placed.scope.kind is scope.kind)
        )
        if not of_scope:
            others = "; ".join(other.words for other in active) or "no hold at all"
            raise WrongUseError(f"release: expected a hold of {scope.words}, found {others}")
        release_holds(connection, of_scope, who=who or getuser(), why=why.strip())
    if as_json:
        print_json({"released": of_scope})
        return
    for released in of_scope:
        print_line(f"Released: {released.words}.")
    for other in active:
        if other not in of_scope and other.scope.covers(scope):
            print_line(f"Still held: {other.words}.")


def holds(
    past: Annotated[bool, typer.Option("--past", help="Those that were released or ended, instead.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what is held now: which actions of which models, by whom, since and until when, and why."""
    settings = load_settings()
    with opened_database(settings) as engine, engine.connect() as connection:
        now = database_now_millis(connection)
        listed = (
            past_holds(connection, now_millis=now, limit=limit) if past else active_holds(connection, now_millis=now)
        )
    if as_json:
        print_json({"holds": listed, "actions_enabled": settings.actions_enabled})
        return
    print_table(
        "Past holds" if past else "Holds",
        ("what", "who", "since (UTC)", "until (UTC)", "released by", "released (UTC)")[: 6 if past else 4],
        [_line(listed_hold, past=past) for listed_hold in listed],
        notes=[listed_hold.why for listed_hold in listed],
        empty="none",
    )
    if not settings.actions_enabled:
        print_line("Besides, `actions_enabled` is false in the settings here: an alerter with them sends no action.")


def _line(shown: ActionHold, *, past: bool) -> tuple[str | None, ...]:
    line = (shown.scope.words, shown.who, moment(shown.since), moment(shown.until))
    return (*line, shown.released_by, moment(shown.released_at)) if past else line


def _scope(
    connection: sa.Connection, model: str | None, namespace: str | None, everything: bool, kind: HeldKind | None
) -> tuple[HoldScope, int | None]:
    """Return the scope that the options say, and the id of its model.

    Raises:
        WrongUseError: None or several were given, or nobody applied such a model, or one of such a namespace.
    """
    given = [option for option in (model, namespace, "--all" if everything else None) if option]
    if len(given) != 1:
        options = ", ".join(given) or "none of them"
        raise WrongUseError(f"expected one of MODEL, --namespace NAME and --all, found {options}")
    action_kind = None if kind is None else _KINDS[kind]
    if model is None:
        _require_namespace(connection, namespace)
        return HoldScope(namespace=namespace, kind=action_kind), None
    model_id = model_named(connection, model)
    if model_id is None:
        known = ", ".join(model_names(connection)) or "none"
        raise WrongUseError(f"{model}: expected an applied model, found only: {known}")
    return HoldScope(model=model_key(connection, model_id), kind=action_kind), model_id


def _require_namespace(connection: sa.Connection, namespace: str | None) -> None:
    """Refuse a namespace without models: misspelt, it would hold nothing."""
    known = namespaces(connection)
    if namespace is not None and namespace not in known:
        raise WrongUseError(f"--namespace {namespace}: expected one of {', '.join(known) or 'none yet'}")

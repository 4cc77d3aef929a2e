"""Holds of actions as people place them."""

import sqlalchemy as sa

from monitor.action_holds import ActionHold, HoldScope
from monitor.store.action_holds import place_hold
from monitor.store.database_clock import database_now_millis
from monitor.types import ActionKind


def held_by_ada(kind: ActionKind | None) -> tuple[ActionHold, ...]:
    """Return the holds of a model whose actions of *kind*, None: every kind, are held."""
    return (ActionHold(id=7, scope=HoldScope(kind=kind), who="ada", why="migrates", since=0),)


def hold_actions(engine: sa.Engine, scope: HoldScope | None = None, *, model_id: int | None = None) -> ActionHold:
    """Hold the actions in *scope*, all without one, as ada."""
    with engine.begin() as connection:
        now = database_now_millis(connection)
        held, _ = place_hold(
            connection,
            scope or HoldScope(),
            model_id=model_id,
            who="ada",
            why="migrates",
            now_millis=now,
            until=None,
        )
    return held

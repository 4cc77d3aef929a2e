"""Warm-ups by which the windows of each version were judged, and windows to judge again for an earlier or later one."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.rows import values_of
from monitor.store.schema import judge_again, version_warm_up


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """The first deployment by which the windows of *version* are judged.

    Attributes:
        deployed_at: Its event time (ms).
        warming: Windows that end after it are of the version's warm-up, or compared with what was learnt in it; False:
            the version is not new.
        unrevised_until: Windows that end up to then (ms) were final before the deployment was known, and stay as they
            were judged. None: there are none.
    """

    version: str
    deployed_at: int
    warming: bool
    unrevised_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsToJudge:
    """Evaluated windows of one series and *length* (minutes) that end in ``(after, until]`` (ms)."""

    series_id: int
    length: int
    after: int
    until: int


def read_warm_ups(connection: sa.Connection, model_id: int) -> dict[str, WarmUp]:
    """Return by which warm-up the windows of each version of a model were judged."""
    rows = connection.execute(sa.select(version_warm_up).where(version_warm_up.c.model_id == model_id))
    return {warm_up.version: warm_up for warm_up in values_of(WarmUp, rows)}


def unrevised_warm_ups(connection: sa.Connection, model_id: int, *, since: int) -> tuple[WarmUp, ...]:
    """Return the versions with windows that stay as they were judged and end after *since* (ms), by version."""
    table = version_warm_up.c
    rows = connection.execute(
        sa.select(version_warm_up)
        .where(table.model_id == model_id, table.unrevised_until > since)
        .order_by(table.version)
    )
    return values_of(WarmUp, rows)


def write_warm_ups(connection: sa.Connection, model_id: int, changed: Sequence[WarmUp]) -> None:
    """Store *changed*; the caller holds the model's lock."""
    if not changed:
        return
    statement = insert(version_warm_up)
    replaced = {name: statement.excluded[name] for name in ("deployed_at", "warming", "unrevised_until")}
    rows = [{"model_id": model_id, **asdict(warm_up)} for warm_up in changed]
    connection.execute(statement.on_conflict_do_update(index_elements=["model_id", "version"], set_=replaced), rows)


def add_windows_to_judge(connection: sa.Connection, model_id: int, windows: Sequence[WindowsToJudge]) -> None:
    """Note *windows*; of a series and length that waits already, both and what lies between them."""
    if not windows:
        return
    statement = insert(judge_again)
    widened = {
        "after": sa.func.least(judge_again.c.after, statement.excluded.after),
        "until": sa.func.greatest(judge_again.c.until, statement.excluded.until),
    }
    rows = [{"model_id": model_id, **asdict(of_series)} for of_series in windows]
    connection.execute(
        statement.on_conflict_do_update(index_elements=["model_id", "series_id", "length"], set_=widened), rows
    )


def read_windows_to_judge(connection: sa.Connection, model_id: int, *, limit: int) -> tuple[WindowsToJudge, ...]:
    """Return what is due of a model, the earliest windows first."""
    table = judge_again.c
    query = (
        sa.select(judge_again)
        .where(table.model_id == model_id)
        .order_by(table.after, table.series_id, table.length)
        .limit(limit)
    )
    return values_of(WindowsToJudge, connection.execute(query))


def judged_until(connection: sa.Connection, model_id: int, judged: Iterable[tuple[WindowsToJudge, int]]) -> None:
    """Note that of each of these the windows up to an end (ms) are judged; forget those that are through."""
    ends = {(windows.series_id, windows.length): end for windows, end in judged}
    if not ends:
        return
    parameters = {
        "model_id": model_id,
        "series_ids": [series_id for series_id, _ in ends],
        "lengths": [length for _, length in ends],
        "ends": list(ends.values()),
    }
    come = (
        "unnest(CAST(:series_ids AS integer[]), CAST(:lengths AS integer[]), CAST(:ends AS bigint[]))"
        " AS come (series_id, length, until)"
    )
    same = "due.model_id = :model_id AND due.series_id = come.series_id AND due.length = come.length"
    for statement in (
        f"DELETE FROM judge_again AS due USING {come} WHERE {same} AND due.until <= come.until",  # noqa: S608
        f"UPDATE judge_again AS due SET after = come.until FROM {come} WHERE {same}",  # noqa: S608  # constants
    ):
        connection.execute(sa.text(statement), parameters)

"""Which versions of a model have a place of their own: at most so many that are alive; the others are counted as one.

Claimed before a flush, one model at a time, so that every worker counts a version in the same way. A version without
events for a week of event time is retired: its place is free, its counts stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import model_version
from monitor.types import OTHER_VERSIONS
from monitor.units import WEEK_MILLIS

_LOCK = 731_642_590  # advisory lock, first half; the second is the model's id


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionClaims:
    """Versions of one model with events, each with the hour (ms) of its newest, in the order in which they came."""

    cap: int
    hours: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedVersions:
    """The versions of one model that have a place, with the hour (ms) of their newest events, and those refused one."""

    hours: Mapping[str, int]
    refused: frozenset[str] = frozenset()


def placed_versions(connection: sa.Connection) -> dict[int, PlacedVersions]:
    """Return the placed versions of every model that has any."""
    by_model: dict[int, dict[str, int]] = {}
    for row in connection.execute(sa.select(model_version)):
        by_model.setdefault(row.model_id, {})[row.version] = row.newest_hour
    return {model_id: PlacedVersions(hours=hours) for model_id, hours in by_model.items()}


def claim_versions(connection: sa.Connection, claims: Mapping[int, VersionClaims]) -> dict[int, PlacedVersions]:
    """Give each version of *claims* (by model) a place while there is one; commit before any of it is counted."""
    return {model_id: _claim(connection, model_id, of_model) for model_id, of_model in sorted(claims.items())}


def _claim(connection: sa.Connection, model_id: int, claims: VersionClaims) -> PlacedVersions:
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, model_id)))
    rows = connection.execute(sa.select(model_version).where(model_version.c.model_id == model_id))
    stored = {row.version: row.newest_hour for row in rows}
    alive_since = max((*stored.values(), *claims.hours.values()), default=0) - WEEK_MILLIS
    placed = {version: hour for version, hour in stored.items() if hour >= alive_since}
    refused = set()
    for version, hour in claims.hours.items():
        if version != OTHER_VERSIONS and (version in placed or len(placed) < claims.cap):
            placed[version] = max(hour, placed.get(version, hour))
        else:
            refused.add(version)
    _write(connection, model_id, stored, placed)
    return PlacedVersions(hours=placed, refused=frozenset(refused))


def _write(connection: sa.Connection, model_id: int, stored: Mapping[str, int], placed: Mapping[str, int]) -> None:
    here = model_version.c.model_id == model_id
    retired = sorted(stored.keys() - placed.keys())
    if retired:
        connection.execute(
            sa.delete(model_version).where(here, model_version.c.version == sa.bindparam("retired")),
            [{"retired": version} for version in retired],
        )
    new = sorted(placed.keys() - stored.keys())
    if new:
        connection.execute(
            sa.insert(model_version),
            [{"model_id": model_id, "version": version, "newest_hour": placed[version]} for version in new],
        )
    moved = sorted(version for version in placed.keys() & stored.keys() if placed[version] != stored[version])
    if moved:
        connection.execute(
            sa.update(model_version)
            .where(here, model_version.c.version == sa.bindparam("moved"))
            .values(newest_hour=sa.bindparam("hour")),
            [{"moved": version, "hour": placed[version]} for version in moved],
        )

"""References that deployment events name in their manifest, and which stored ones these are."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.deployments import replaced_versions
from monitor.errors import SpecError
from monitor.humanize import moment
from monitor.reference.layout import CellsLayout
from monitor.reference.prediction_profile import prediction_problems
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.deployments import deployments_history
from monitor.store.rows import values_of
from monitor.store.schema import deployment, reference
from monitor.store.version_adoptions import AdoptedBy, VersionAdoption, version_adoptions
from monitor.types import OTHER_VERSIONS

NAMED_AT = "reference"  # the key of a manifest
DIGEST_AT_LEAST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedReference:
    """The manifest of a deployment event of *version* at *event_time* (ms) names a reference by id or digest."""

    version: str
    event_time: int
    name: str


def names_without_adoption(
    connection: sa.Connection, model_id: int, adopted: Sequence[VersionAdoption]
) -> tuple[NamedReference, ...]:
    """Return the references that deployments of the model name and that were not adopted for that yet, oldest first."""
    name = deployment.c.manifest[NAMED_AT].astext
    rows = connection.execute(
        sa.select(deployment.c.version, deployment.c.event_time, name.label("name"))
        .where(deployment.c.model_id == model_id, name.is_not(None), deployment.c.version != OTHER_VERSIONS)
        .order_by(deployment.c.event_time, deployment.c.id)
    )
    known = {(row.version, row.used_from) for row in adopted if row.adopted_by is AdoptedBy.MANIFEST}
    return tuple(named for named in values_of(NamedReference, rows) if (named.version, named.event_time) not in known)


def named_profile(
    connection: sa.Connection, applied: AppliedModel, named: NamedReference, *, layout: CellsLayout
) -> tuple[int | None, str]:
    """Return the id of the stored profile that *named* means; or None and, for people, why not and what to do.

    Args:
        layout: Of the reference in force.
    """
    profile_id = _stored_as(connection, applied.model_id, named.name)
    said = f"version {named.version} of {applied.key}: its deployment of {moment(named.event_time)} UTC names"
    adopt = f"`driftline reference adopt {applied.key} FILE --version {named.version}`"
    if profile_id is None:
        return None, (
            f"{said} reference {named.name[:80]}: expected the id or digest of one that is stored for the model, found "
            f"none; run `driftline reference store {applied.key} FILE` or {adopt}; until then it is as if none was "
            "named"
        )
    try:
        problems = prediction_problems(
            load_reference(connection, profile_id),
            layout,
            model=str(applied.key),
            min_events=applied.spec.windows.min_events,
            version=named.version,
        )
    except SpecError as error:
        problems = error.problems
    if problems:
        why = "; ".join(problems)
        return None, f"{said} reference {profile_id}, which it cannot be compared with: {why}; then {adopt}"
    return profile_id, ""


def _stored_as(connection: sa.Connection, model_id: int, name: str) -> int | None:
    """Return the id of the one reference of the model whose id or (beginning of a) digest is *name*."""
    if name.isascii() and name.isdecimal() and len(name) <= 9:
        matches = reference.c.id == int(name)
    elif len(name) >= DIGEST_AT_LEAST:
        matches = sa.func.starts_with(reference.c.digest, name.lower())
    else:
        return None
    query = sa.select(reference.c.id).where(reference.c.model_id == model_id, matches)
    stored = connection.execute(query).scalars().all()
    return stored[0] if len(stored) == 1 else None


def unadopted_names(connection: sa.Connection, applied: AppliedModel) -> tuple[str, ...]:
    """Return, for people, which references that deployments name are not there; not of versions that were replaced.

    Nor of versions that have another one: people adopted it since.
    """
    adopted = version_adoptions(connection, applied.model_id)
    without = replaced_versions(deployments_history(connection, applied.model_id)).keys() | {
        adoption.version for adoption in adopted
    }
    return tuple(
        problem
        for named in names_without_adoption(connection, applied.model_id, adopted)
        if named.version not in without
        if (problem := named_profile(connection, applied, named, layout=applied.cells[-1].layout)[1])
    )

"""References of their prediction that people adopted for versions, or deployments named: a history of decisions."""

from dataclasses import asdict, dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from monitor.errors import SpecError
from monitor.reference.prediction_profile import prediction_problems
from monitor.reference.profile import ReferenceProfile
from monitor.store.database_clock import database_now_millis
from monitor.store.incidents import lock_model
from monitor.store.references import base_of, reference_in_force
from monitor.store.rows import values_of
from monitor.store.scale_progress import read_progress
from monitor.store.schema import reference, spec, version_adoption
from monitor.store.series import whole_series
from monitor.store.specs import known_reference, lock_configuration, newest_spec, restore_reference, store_reference
from monitor.types import OTHER_VERSIONS


class AdoptedBy(StrEnum):
    """Who decided it."""

    PERSON = "person"  # `driftline reference adopt --version`
    MANIFEST = "manifest"  # of a deployment event of the version


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionAdoption:
    """The prediction of a version is compared with a stored profile.

    Attributes:
        profile_id: The stored reference that holds its predictions.
        reference_id: The frozen reference that was in force then, which its cells and natural movement are of.
        used_from: Windows that end then (ms) or later are compared with it, up to where a later row begins.
    """

    version: str
    profile_id: int
    reference_id: int
    cells_id: int
    used_from: int
    adopted_by: AdoptedBy


def version_adoptions(connection: sa.Connection, model_id: int) -> tuple[VersionAdoption, ...]:
    """Return every adoption for a version of the model, in the order in which they take effect."""
    rows = connection.execute(
        sa.select(version_adoption)
        .where(version_adoption.c.model_id == model_id)
        .order_by(version_adoption.c.used_from, version_adoption.c.id)
    )
    return values_of(VersionAdoption, rows)


def write_adoption(connection: sa.Connection, model_id: int, adoption: VersionAdoption) -> None:
    """Add one decision; the caller holds the model's lock."""
    values = {**asdict(adoption), "adopted_by": adoption.adopted_by.value}
    connection.execute(sa.insert(version_adoption).values(model_id=model_id, **values))


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionAdoptOutcome:
    """What `adopt_for_version` did; *changed* False: this profile was in use for the version already."""

    adoption: VersionAdoption
    changed: bool


def adopt_for_version(
    connection: sa.Connection, *, model_id: int, version: str, profile: ReferenceProfile, source: str
) -> VersionAdoptOutcome:
    """Compare the prediction of *version* with *profile* from now on; the caller commits.

    Of a version without events that is from its first window on. Else from the database's present, and after every
    window that was judged: what became of a window never depends on whether it was judged before the adoption.

    Raises:
        SpecError: The profile was counted on other cells than the model's windows, or has too few values.
        LookupError: The model was never applied.
    """
    lock_configuration(connection)
    lock_model(connection, model_id, wait=True)
    last, stored = newest_spec(connection, model_id), reference_in_force(connection, model_id)
    if last is None or stored is None:
        raise LookupError(f"model {model_id} has no spec")
    if version == OTHER_VERSIONS:
        raise SpecError(version, ("expected one version, found those that found no place and are counted together",))
    if problems := prediction_problems(
        profile,
        stored.profile.layout,
        model=str(stored.spec.key),
        min_events=stored.spec.windows.min_events,
        version=version,
    ):
        raise SpecError(source, problems)
    profile_id = stored_profile(connection, model_id, last.cells_id, profile)
    base_id = base_of(connection, last.reference_id)
    before = [adoption for adoption in version_adoptions(connection, model_id) if adoption.version == version]
    if before and (before[-1].profile_id, before[-1].reference_id, before[-1].cells_id) == (
        profile_id,
        base_id,
        last.cells_id,
    ):
        return VersionAdoptOutcome(adoption=before[-1], changed=False)
    used_from = 0
    if version in whole_series(connection, model_id).values():
        judged = [progress.evaluated_until for progress in read_progress(connection, model_id).values()]
        used_from = max(database_now_millis(connection), max(judged, default=0) + 1)
    adoption = VersionAdoption(
        version=version,
        profile_id=profile_id,
        reference_id=base_id,
        cells_id=last.cells_id,
        used_from=used_from,
        adopted_by=AdoptedBy.PERSON,
    )
    write_adoption(connection, model_id, adoption)
    return VersionAdoptOutcome(adoption=adoption, changed=True)


def stored_profile(connection: sa.Connection, model_id: int, cells_id: int, profile: ReferenceProfile) -> int:
    """Return the id of *profile*, stored now where it was not; nothing is compared with it for that."""
    profile_id = known_reference(connection, model_id, profile)
    if profile_id is None:
        return store_reference(connection, model_id, cells_id, profile)
    restore_reference(connection, profile_id, profile)
    return profile_id


def versions_by_profile(connection: sa.Connection, model_id: int | None = None) -> dict[int, tuple[str, ...]]:
    """Return by profile the versions that have it next to the reference in force: of one model, or of all."""
    newest = (
        sa.select(version_adoption)
        .ext(distinct_on(version_adoption.c.model_id, version_adoption.c.version))
        .order_by(
            version_adoption.c.model_id,
            version_adoption.c.version,
            version_adoption.c.used_from.desc(),
            version_adoption.c.id.desc(),
        )
        .subquery()
    )
    in_force = (
        sa.select(spec.c.model_id, spec.c.cells_id, sa.func.coalesce(reference.c.base_id, reference.c.id).label("base"))
        .join(reference, reference.c.id == spec.c.reference_id)
        .ext(distinct_on(spec.c.model_id))
        .order_by(spec.c.model_id, spec.c.version.desc())
        .subquery()
    )
    rows = connection.execute(
        sa.select(newest.c.profile_id, newest.c.version)
        .join(in_force, in_force.c.model_id == newest.c.model_id)
        .where(in_force.c.base == newest.c.reference_id, in_force.c.cells_id == newest.c.cells_id)
        .where(sa.true() if model_id is None else newest.c.model_id == model_id)
        .order_by(newest.c.version)
    )
    versions: dict[int, tuple[str, ...]] = {}
    for profile_id, version in rows:
        versions[profile_id] = (*versions.get(profile_id, ()), version)
    return versions

"""Specs, cells and references in force: applied and adopted, locked, row by row."""

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.errors import SpecError
from monitor.reference.checks import disagreements
from monitor.reference.layout import CellsLayout, encode_layout
from monitor.reference.profile import ReferenceProfile, encode_profile
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.database_clock import database_now_millis
from monitor.store.schema import cells, configuration, model, reference, spec
from monitor.types import ModelKey
from monitor.units import MINUTE_MILLIS


@dataclass(frozen=True, slots=True)
class SpecRow:
    """One version of a model's spec as stored; *adopted_over* as of `Applied`."""

    model_id: int
    version: int
    text: str
    cells_id: int
    reference_id: int
    adopted_over: int | None


@dataclass(frozen=True, slots=True)
class PlacedCells:
    """Cells of a model, the pane start (ms) from which events are counted on them, and whether that is new."""

    cells_id: int
    effective_from: int
    are_new: bool


def lock_configuration(connection: sa.Connection) -> None:
    """Keep every other change of the configuration waiting until this transaction ends."""
    connection.execute(
        sa.text('INSERT INTO configuration ("only", generation) VALUES (true, 0) ON CONFLICT DO NOTHING')
    )
    connection.execute(sa.select(configuration).with_for_update())


def model_id_of(connection: sa.Connection, key: ModelKey) -> int:
    """Return the model's id, inserting it when it is new.

    Raises:
        SpecError: It is being removed.
    """
    known = connection.execute(
        sa.select(model.c.id, model.c.removing_since).where(
            model.c.namespace == key.namespace, model.c.name == key.name
        )
    ).one_or_none()
    if known is not None and known.removing_since is not None:
        raise SpecError(
            str(key),
            (f"it is being removed; run `driftline models remove {key} --yes`, then apply it again",),
        )
    if known is not None:
        return int(known.id)
    statement = sa.insert(model).values(namespace=key.namespace, name=key.name).returning(model.c.id)
    return int(connection.execute(statement).scalar_one())


def newest_spec(connection: sa.Connection, model_id: int) -> SpecRow | None:
    """Return the spec that is in force; None for a model that was never applied."""
    columns = (spec.c.model_id, spec.c.version, spec.c.text, spec.c.cells_id, spec.c.reference_id, spec.c.adopted_over)
    query = sa.select(*columns).where(spec.c.model_id == model_id).order_by(spec.c.version.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else SpecRow(*row)


def write_spec(connection: sa.Connection, row: SpecRow) -> None:
    """Put a new version in force: every process reads it before its next flush or evaluation."""
    values = {name: getattr(row, name) for name in SpecRow.__slots__}
    connection.execute(sa.insert(spec).values(**values))
    connection.execute(sa.update(configuration).values(generation=configuration.c.generation + 1))


def cells_in_force(connection: sa.Connection, model_id: int) -> PlacedCells:
    """Return the newest cells of a model that has some."""
    newest = connection.execute(_newest_cells(model_id)).one()
    return PlacedCells(newest.id, newest.effective_from, are_new=False)


def place_cells(connection: sa.Connection, model_id: int, layout: CellsLayout) -> PlacedCells:
    """Return the cells of *layout*, the newest ones of the model from now on.

    Cells that were in force before and no longer are come back under an id of their own, from a future pane start on:
    between their two times events were counted on others.
    """
    newest = connection.execute(_newest_cells(model_id)).one_or_none()
    if newest is not None and newest.digest == layout.digest:
        return PlacedCells(newest.id, newest.effective_from, are_new=False)
    effective_from = 0
    if newest is not None:
        now = database_now_millis(connection)
        # Two minutes on: every worker has read the new generation in a flush before the first such pane begins.
        # Never before the newest ones, which may be waiting for their own minute still.
        effective_from = max((now // MINUTE_MILLIS + 2) * MINUTE_MILLIS, newest.effective_from + MINUTE_MILLIS)
    cells_id = connection.execute(
        sa.insert(cells)
        .values(
            model_id=model_id,
            digest=layout.digest,
            layout=encode_layout(layout),
            effective_from=effective_from,
            column_names=[column.name for column in layout.columns],
        )
        .returning(cells.c.id)
    ).scalar_one()
    return PlacedCells(int(cells_id), effective_from, are_new=True)


def known_reference(connection: sa.Connection, model_id: int, profile: ReferenceProfile) -> int | None:
    """Return the id under which this very profile is stored; None when it is not."""
    query = sa.select(reference.c.id).where(
        reference.c.model_id == model_id, reference.c.digest == reference_digest(encode_profile(profile))
    )
    return connection.execute(query).scalar()


def restore_reference(connection: sa.Connection, reference_id: int, profile: ReferenceProfile) -> bool:
    """Write *profile*, whose digest reference *reference_id* has, once more where the stored bytes are damaged."""
    encoded = encode_profile(profile)
    table = reference.c
    damaged = sa.update(reference).where(table.id == reference_id, table.profile != encoded).values(profile=encoded)
    return connection.execute(damaged).rowcount > 0


def store_reference(
    connection: sa.Connection,
    model_id: int,
    cells_id: int,
    profile: ReferenceProfile,
    *,
    base_id: int | None = None,
) -> int:
    """Store a profile that is not stored yet and return its id; *base_id*: it is a rolling one on the base's cells."""
    encoded = encode_profile(profile)
    row = {"cells_id": cells_id, "digest": reference_digest(encoded), "profile": encoded, "base_id": base_id}
    return int(
        connection.execute(sa.insert(reference).values(model_id=model_id, **row).returning(reference.c.id)).scalar_one()
    )


def _newest_cells(model_id: int) -> sa.Select[tuple[int, str, int]]:
    return (
        sa.select(cells.c.id, cells.c.digest, cells.c.effective_from)
        .where(cells.c.model_id == model_id)
        .order_by(cells.c.effective_from.desc(), cells.c.id.desc())
        .limit(1)
    )


def reference_digest(encoded: bytes) -> str:
    """Return what a profile is known by, and checked with when it is read."""
    return hashlib.sha256(encoded).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptOutcome:
    """What `adopt_reference` did.

    Attributes:
        previous_id: The reference that was in force before.
        new_cells: Events are counted on other cells from `effective_from` (pane start, ms) on.
        changed: False when this very reference was in force already.
        spec: The spec that it is judged by.
    """

    model_id: int
    spec_version: int
    reference_id: int
    previous_id: int
    cells_id: int
    effective_from: int
    new_cells: bool
    changed: bool
    spec: ModelSpec


def adopt_reference(
    connection: sa.Connection,
    *,
    model_id: int,
    profile: ReferenceProfile,
    base_id: int | None = None,
    after_version: int | None = None,
) -> AdoptOutcome:
    """Compare the windows of a model with *profile* from now on; the caller commits.

    On the cells that are in force only counts change, at once. Other cells take effect at a pane start two minutes
    from now, as of `apply`, and each scale says `new_cells` until it is full of them. It is a new version of the same
    spec: every evaluation names the reference it was made with, and the one of the spec's file is remembered.

    Args:
        base_id: *profile* is a rolling one on the cells of this reference.
        after_version: Only where this spec version is still in force; else what is in force stays, unchanged.

    Raises:
        SpecError: The profile does not agree with the model's spec; nothing was changed.
        LookupError: The model was never applied.
    """
    lock_configuration(connection)
    last = newest_spec(connection, model_id)
    if last is None:
        raise LookupError(f"model {model_id} has no spec")
    spec = parse_spec(last.text, source=f"spec {last.version} in the database")
    if after_version is not None and last.version != after_version:
        placed = cells_in_force(connection, model_id)
        return _adopted(last, placed, spec, version=last.version, reference_id=last.reference_id)
    if problems := disagreements(spec, profile):
        raise SpecError(profile.source or "reference", problems)
    placed = place_cells(connection, model_id, profile.layout)
    reference_id = known_reference(connection, model_id, profile)
    if reference_id is not None:
        restore_reference(connection, reference_id, profile)
    if reference_id is None:
        reference_id = store_reference(connection, model_id, placed.cells_id, profile, base_id=base_id)
    of_file = last.reference_id if last.adopted_over is None else last.adopted_over
    changed = reference_id != last.reference_id or placed.are_new
    if changed:
        adopted_over = None if reference_id == of_file else of_file
        write_spec(
            connection,
            SpecRow(model_id, last.version + 1, last.text, placed.cells_id, reference_id, adopted_over),
        )
    return _adopted(last, placed, spec, version=last.version + changed, reference_id=reference_id)


def _adopted(last: SpecRow, placed: PlacedCells, spec: ModelSpec, *, version: int, reference_id: int) -> AdoptOutcome:
    return AdoptOutcome(
        model_id=last.model_id,
        spec_version=version,
        reference_id=reference_id,
        previous_id=last.reference_id,
        cells_id=placed.cells_id,
        effective_from=placed.effective_from,
        new_cells=placed.are_new,
        changed=version != last.version,
        spec=spec,
    )

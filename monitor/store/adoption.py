"""Puts another reference in force for a model whose spec stays as it is."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.errors import SpecError
from monitor.reference.checks import disagreements
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ModelSpec
from monitor.spec_file import parse_spec
from monitor.store.applied_rows import (
    PlacedCells,
    SpecRow,
    cells_in_force,
    known_reference,
    lock_configuration,
    newest_spec,
    place_cells,
    restore_reference,
    store_reference,
    write_spec,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
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
) -> Adopted:
    """Compare the windows of a model with *profile* from now on; the caller commits.

    On the cells that are in force only counts change, at once. Other cells take effect at a pane start two minutes
    from now, as of `apply`, and each scale says `new_cells` until it is full of them. It is a new version of the same
    spec: every evaluation tells which reference it was made with, and the one of the spec's file is remembered.

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


def _adopted(last: SpecRow, placed: PlacedCells, spec: ModelSpec, *, version: int, reference_id: int) -> Adopted:
    return Adopted(
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

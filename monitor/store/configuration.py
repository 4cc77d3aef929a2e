"""The applied models: specs, cells and references, and the generation that says when they changed."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.reference.cells import CellsLayout, decode_layout, encode_layout
from monitor.reference.profile import ReferenceProfile, decode_profile, encode_profile
from monitor.spec import ModelSpec
from monitor.spec_file import parse_spec
from monitor.store.schema import cells, configuration, model, reference, spec
from monitor.types import MINUTE_MILLIS, ModelKey


@dataclass(frozen=True, slots=True)
class AppliedCells:
    """One cells layout of a model and the pane start (ms) from which events are counted on it."""

    cells_id: int
    layout: CellsLayout
    effective_from: int


@dataclass(frozen=True, slots=True)
class AppliedModel:
    """A model as the last `apply` left it; *cells* in order of `effective_from`, the last one is the newest."""

    model_id: int
    key: ModelKey
    held: bool
    spec_version: int
    spec: ModelSpec
    reference_id: int
    cells: tuple[AppliedCells, ...]

    def cells_at(self, pane_start: int) -> AppliedCells:
        """Return the cells on which events of the pane at *pane_start* (ms) are counted."""
        current = self.cells[0]
        for each in self.cells[1:]:
            if each.effective_from <= pane_start:
                current = each
        return current


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every applied model, as of one generation."""

    generation: int
    models: tuple[AppliedModel, ...]


def read_generation(connection: sa.Connection) -> int:
    """Return the configuration's generation; a flush compares it with the one it counted under."""
    return int(connection.execute(sa.select(configuration.c.generation)).scalar() or 0)


def load_configuration(connection: sa.Connection) -> Configuration:
    """Return all applied models with their newest spec and every cells layout."""
    generation = read_generation(connection)
    newest = (
        sa.select(spec.c.model_id, sa.func.max(spec.c.version).label("version")).group_by(spec.c.model_id).subquery()
    )
    rows = connection.execute(
        sa.select(model, spec.c.version, spec.c.text, spec.c.reference_id, spec.c.cells_id)
        .join(newest, newest.c.model_id == model.c.id)
        .join(spec, sa.and_(spec.c.model_id == model.c.id, spec.c.version == newest.c.version))
        .order_by(model.c.id)
    ).all()
    layouts: dict[int, list[AppliedCells]] = {}
    for each in connection.execute(sa.select(cells).order_by(cells.c.effective_from, cells.c.id)):
        found = AppliedCells(each.id, decode_layout(each.layout), each.effective_from)
        layouts.setdefault(each.model_id, []).append(found)
    models = tuple(
        AppliedModel(
            model_id=row.id,
            key=ModelKey(row.namespace, row.name),
            held=row.held,
            spec_version=row.version,
            spec=parse_spec(row.text, source=f"spec {row.version} of {row.name} in the database"),
            reference_id=row.reference_id,
            cells=tuple(layouts[row.id]),
        )
        for row in rows
    )
    return Configuration(generation, models)


def load_reference(connection: sa.Connection, reference_id: int) -> ReferenceProfile:
    """Return one stored reference profile."""
    row = connection.execute(sa.select(reference.c.profile).where(reference.c.id == reference_id)).one()
    return decode_profile(row.profile, source=f"reference {reference_id} in the database")


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_spec` did: *changed* is False when this very spec and reference were in force already."""

    model_id: int
    spec_version: int
    cells_id: int
    reference_id: int
    effective_from: int
    changed: bool


def apply_spec(connection: sa.Connection, *, text: str, parsed: ModelSpec, profile: ReferenceProfile) -> Applied:
    """Store *parsed* (written as *text*) and its reference; new cells take effect at a future pane start.

    A model's first cells count from the beginning of time, so that history already in the topic is counted. One
    transaction: the caller commits.
    """
    # Two applies at once run one after the other: the row of `configuration` is the lock.
    connection.execute(
        sa.text('INSERT INTO configuration ("only", generation) VALUES (true, 0) ON CONFLICT DO NOTHING')
    )
    connection.execute(sa.select(configuration).with_for_update())
    model_id = _model_id(connection, parsed.key)
    cells_id, effective_from, cells_are_new = _cells_id(connection, model_id, profile.layout)
    reference_id = _reference_id(connection, model_id, cells_id, profile)
    last = connection.execute(
        sa.select(spec).where(spec.c.model_id == model_id).order_by(spec.c.version.desc()).limit(1)
    ).one_or_none()
    if last and last.text == text and last.reference_id == reference_id and not cells_are_new:
        return Applied(model_id, last.version, cells_id, reference_id, effective_from, changed=False)
    version = last.version + 1 if last else 1
    connection.execute(
        sa.insert(spec).values(
            model_id=model_id, version=version, text=text, cells_id=cells_id, reference_id=reference_id
        )
    )
    connection.execute(sa.update(configuration).values(generation=configuration.c.generation + 1))
    return Applied(model_id, version, cells_id, reference_id, effective_from, changed=True)


def _model_id(connection: sa.Connection, key: ModelKey) -> int:
    found = connection.execute(
        sa.select(model.c.id).where(model.c.namespace == key.namespace, model.c.name == key.name)
    ).scalar()
    if found is None:
        found = connection.execute(
            sa.insert(model).values(namespace=key.namespace, name=key.name).returning(model.c.id)
        ).scalar_one()
    return int(found)


def _cells_id(connection: sa.Connection, model_id: int, layout: CellsLayout) -> tuple[int, int, bool]:
    known = connection.execute(
        sa.select(cells.c.digest, cells.c.id, cells.c.effective_from).where(cells.c.model_id == model_id)
    ).all()
    for digest, cells_id, effective_from in known:
        if digest == layout.digest:
            return cells_id, effective_from, False
    effective_from = 0
    if known:
        now = connection.execute(sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar_one()
        # Two minutes on: every worker has read the new generation in a flush before the first such pane begins.
        effective_from = (int(now) // MINUTE_MILLIS + 2) * MINUTE_MILLIS
    cells_id = connection.execute(
        sa.insert(cells)
        .values(model_id=model_id, digest=layout.digest, layout=encode_layout(layout), effective_from=effective_from)
        .returning(cells.c.id)
    ).scalar_one()
    return int(cells_id), effective_from, True


def _reference_id(connection: sa.Connection, model_id: int, cells_id: int, profile: ReferenceProfile) -> int:
    encoded = encode_profile(profile)
    digest = sa.func.encode(sa.func.sha256(sa.literal(encoded, sa.LargeBinary)), "hex")
    found = connection.execute(
        sa.select(reference.c.id).where(reference.c.model_id == model_id, reference.c.digest == digest)
    ).scalar()
    if found is None:
        found = connection.execute(
            sa.insert(reference)
            .values(model_id=model_id, cells_id=cells_id, digest=digest, profile=encoded)
            .returning(reference.c.id)
        ).scalar_one()
    return int(found)

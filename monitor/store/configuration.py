"""The applied models: their names, specs, cells and references, and the generation that says when they changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from monitor.errors import SpecError
from monitor.reference.checks import disagreements
from monitor.reference.layout import CellsLayout, decode_layout
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.schema import cells, configuration, model, reference, spec
from monitor.store.specs import (
    SpecRow,
    cells_in_force,
    known_reference,
    lock_configuration,
    model_id_of,
    newest_spec,
    place_cells,
    reference_digest,
    restore_reference,
    store_reference,
    write_spec,
)
from monitor.types import DEFAULT_NAMESPACE, ModelKey


def model_named(connection: sa.Connection, text: str) -> int | None:
    """Return the id of the model whose key is written *text*; None when there is none.

    Names may hold slashes; a model of that very name in the default namespace comes first.
    """
    plain = sa.and_(model.c.namespace == DEFAULT_NAMESPACE, model.c.name == text)
    written = sa.func.concat(model.c.namespace, "/", model.c.name) == text
    query = sa.select(model.c.id).where(sa.or_(plain, written)).order_by(sa.case((plain, 0), else_=1)).limit(1)
    return connection.execute(query).scalar()


def model_key(connection: sa.Connection, model_id: int) -> ModelKey:
    """Return the key of a model that is there."""
    row = connection.execute(sa.select(model.c.namespace, model.c.name).where(model.c.id == model_id)).one()
    return ModelKey(row.namespace, row.name)


def namespaces(connection: sa.Connection) -> tuple[str, ...]:
    """Return the namespaces that have models, sorted."""
    return tuple(connection.execute(sa.select(model.c.namespace).distinct().order_by(model.c.namespace)).scalars())


def model_names(connection: sa.Connection) -> tuple[str, ...]:
    """Return how every model is written, sorted."""
    rows = connection.execute(sa.select(model.c.namespace, model.c.name).order_by(model.c.namespace, model.c.name))
    return tuple(row.name if row.namespace == DEFAULT_NAMESPACE else f"{row.namespace}/{row.name}" for row in rows)


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
    spec_version: int
    spec: ModelSpec
    reference_id: int
    cells: tuple[AppliedCells, ...]

    def cells_at(self, pane_start: int) -> AppliedCells:
        """Return the cells on which events of the pane at *pane_start* (ms) are counted."""
        current = self.cells[0]
        for cell in self.cells[1:]:
            if cell.effective_from <= pane_start:
                current = cell
        return current

    def cells_of(self, layout: CellsLayout) -> AppliedCells:
        """Return the newest cells of *layout*, which the model has; cells that came back are there twice."""
        return next(cell for cell in reversed(self.cells) if cell.layout.digest == layout.digest)


@dataclass(frozen=True, slots=True)
class UnreadableModel:
    """A model whose stored spec, or cells, this program cannot read: nothing of it is counted until it is applied.

    *problem* is one line for the operator: what cannot be read, why, and what to do.
    """

    model_id: int
    key: ModelKey
    problem: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every applied model, as of one generation; *unreadable* ones are that model's trouble, never the others'."""

    generation: int
    models: tuple[AppliedModel, ...]
    unreadable: tuple[UnreadableModel, ...] = ()

    @property
    def names(self) -> dict[int, ModelKey]:
        """The key of every model by its id, readable or not."""
        readable = {model.model_id: model.key for model in self.models}
        return readable | {model.model_id: model.key for model in self.unreadable}


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
    layouts: dict[int, list[sa.Row]] = {}  # type: ignore[type-arg]  # rows of every column
    for row in connection.execute(sa.select(cells).order_by(cells.c.effective_from, cells.c.id)):
        layouts.setdefault(row.model_id, []).append(row)
    models, unreadable = [], []
    for row in rows:
        try:
            models.append(_applied(row, layouts[row.id]))
        except (SpecError, msgspec.MsgspecError) as error:
            key = ModelKey(row.namespace, row.name)
            unreadable.append(UnreadableModel(row.id, key, _problem(key, row.version, error)))
    return Configuration(generation, tuple(models), tuple(unreadable))


def _applied(row: sa.Row, layouts: Sequence[sa.Row]) -> AppliedModel:  # type: ignore[type-arg]  # joined columns
    return AppliedModel(
        model_id=row.id,
        key=ModelKey(row.namespace, row.name),
        spec_version=row.version,
        spec=parse_spec(row.text, source=f"spec {row.version} of {row.name} in the database"),
        reference_id=row.reference_id,
        cells=tuple(AppliedCells(layout.id, decode_layout(layout.layout), layout.effective_from) for layout in layouts),
    )


def _problem(key: ModelKey, version: int, error: SpecError | msgspec.MsgspecError) -> str:
    problem = "; ".join(error.problems) if isinstance(error, SpecError) else f"its cells: {error}"
    return (
        f"spec {version} of {key}: this program cannot read it: {problem[:500]}. Mend its file and run"
        " `driftline apply`; until then its records become dead letters"
    )


def load_reference(connection: sa.Connection, reference_id: int) -> ReferenceProfile:
    """Return one stored reference profile.

    Raises:
        SpecError: It is not there, or the stored bytes are not those that were written.
    """
    source = f"reference {reference_id} in the database"
    row = connection.execute(
        sa.select(reference.c.profile, reference.c.digest).where(reference.c.id == reference_id)
    ).one_or_none()
    if row is None:
        raise SpecError(source, ("expected a stored profile, found none: apply the spec with its profile again",))
    digest = reference_digest(row.profile)
    if digest != row.digest:
        bytes_found = f"expected bytes of SHA-256 {row.digest[:12]}…, found {digest[:12]}…"
        raise SpecError(source, (f"{bytes_found}: apply the spec with its profile again",))
    return decode_profile(row.profile, source=source)


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """Outcome of `apply_spec`.

    Attributes:
        cells_id, reference_id: In force from now on.
        effective_from: Pane start (ms) from which events are counted on the cells.
        changed: False when this very spec and reference were in force already, undamaged.
        adopted_over: The reference of the spec's file, where an adopted one stays in force instead.
    """

    model_id: int
    spec_version: int
    cells_id: int
    reference_id: int
    effective_from: int
    changed: bool
    adopted_over: int | None = None


def apply_spec(connection: sa.Connection, *, text: str, parsed: ModelSpec, profile: ReferenceProfile) -> ApplyOutcome:
    """Store *parsed* (written as *text*) and its reference; new cells take effect at a future pane start.

    A model's first cells count from the beginning of time, so that history already in the topic is counted. The last
    decision wins: a reference that was adopted since the file's own was applied stays in force until the file names
    another one. One transaction: the caller commits.

    Raises:
        SpecError: An adopted reference stays in force that *parsed* does not agree with.
    """
    lock_configuration(connection)
    model_id = model_id_of(connection, parsed.key)
    last = newest_spec(connection, model_id)
    of_file = known_reference(connection, model_id, profile)
    if last is not None and last.adopted_over is not None and last.adopted_over == of_file:
        placed = cells_in_force(connection, model_id)
        reference_id, adopted_over = last.reference_id, last.adopted_over
        if problems := disagreements(parsed, load_reference(connection, reference_id)):
            raise SpecError(f"reference {reference_id}, which was adopted and is in force", problems)
    else:
        placed = place_cells(connection, model_id, profile.layout)
        reference_id, adopted_over = of_file or store_reference(connection, model_id, placed.cells_id, profile), None
    restored = of_file is not None and restore_reference(connection, of_file, profile)
    changed = restored or last is None or last.text != text or last.reference_id != reference_id or placed.are_new
    version = 1 if last is None else last.version + changed
    if changed:
        write_spec(
            connection,
            SpecRow(model_id, version, text, placed.cells_id, reference_id, adopted_over),
        )
    return ApplyOutcome(
        model_id, version, placed.cells_id, reference_id, placed.effective_from, changed, adopted_over=adopted_over
    )

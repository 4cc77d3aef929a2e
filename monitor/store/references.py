"""Stored references: the list, one by its id, the one in force."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.errors import SpecError
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.schema import model, reference, spec
from monitor.store.specs import reference_digest
from monitor.types import ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """One stored reference without its counts; moments in epoch milliseconds.

    Attributes:
        base_id: Of a rolling one, the reference whose cells and bins it has; None: it is frozen.
        cells_id: Of the cells that events are counted on; of one that is not in force, those it was stored with.
        in_force_since: Since when without another one between, however often the spec was applied; None: it is not.
        adopted: It was adopted over the one of the spec's file.
    """

    reference_id: int
    model_id: int
    model: ModelKey
    cells_id: int
    base_id: int | None
    created_at: int
    in_force_since: int | None
    adopted: bool

    @property
    def kind(self) -> str:
        """`frozen` or `rolling`."""
        return "frozen" if self.base_id is None else "rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReference:
    """A stored reference with its counts, and the newest spec of its model."""

    row: ReferenceRow
    profile: ReferenceProfile
    spec: ModelSpec


# The version of the spec that is in force, with its reference.
_last_versions = sa.select(spec.c.model_id, sa.func.max(spec.c.version).label("version")).group_by(spec.c.model_id)
_of_last_version = _last_versions.subquery("of_last_version")
_newest = (
    sa.select(spec)
    .join(
        _of_last_version,
        sa.and_(spec.c.model_id == _of_last_version.c.model_id, spec.c.version == _of_last_version.c.version),
    )
    .subquery("newest")
)


_earlier, _same = spec.alias("earlier"), spec.alias("same")
_last_of_another = (
    sa.select(sa.func.coalesce(sa.func.max(_earlier.c.version), 0))
    .where(_earlier.c.model_id == _newest.c.model_id, _earlier.c.reference_id != _newest.c.reference_id)
    .correlate(_newest)
    .scalar_subquery()
)
_since = (
    sa.select(sa.func.min(_same.c.applied_at))
    .where(_same.c.model_id == _newest.c.model_id, _same.c.version > _last_of_another)
    .correlate(_newest)
    .scalar_subquery()
)


def list_references(
    connection: sa.Connection, *, model_id: int | None, limit: int
) -> tuple[tuple[ReferenceRow, ReferenceProfile | SpecError], ...]:
    """Return the newest references of one model or of all, those in force first; of a damaged one, what is wrong."""
    query = _references()
    if model_id is not None:
        query = query.where(model.c.id == model_id)
    in_force_first = sa.case((_newest.c.version.is_(None), 1), else_=0)
    query = query.order_by(model.c.namespace, model.c.name, in_force_first, reference.c.id.desc()).limit(limit)
    return tuple((_row(row), _profile_or_damage(row)) for row in connection.execute(query))


def reference_by_id(connection: sa.Connection, reference_id: int) -> StoredReference | None:
    """Return one reference of any model; None when there is none of that id."""
    return _stored(connection, _references().where(reference.c.id == reference_id))


def reference_in_force(connection: sa.Connection, model_id: int) -> StoredReference | None:
    """Return what the windows of a model are compared with; None when it was never applied."""
    return _stored(connection, _references().where(model.c.id == model_id, _newest.c.version.is_not(None)))


def base_of(connection: sa.Connection, reference_id: int) -> int:
    """Return the frozen reference on whose cells a rolling one stands; a frozen one's own id."""
    base_id = connection.execute(sa.select(reference.c.base_id).where(reference.c.id == reference_id)).scalar_one()
    return reference_id if base_id is None else int(base_id)


def _references() -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(
            reference,
            model.c.namespace,
            model.c.name,
            _newest.c.cells_id.label("counted_on"),
            _newest.c.adopted_over,
            _since.label("since"),
        )
        .join(model, model.c.id == reference.c.model_id)
        .outerjoin(_newest, _newest.c.reference_id == reference.c.id)
    )


def _stored(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> StoredReference | None:
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    text = connection.execute(sa.select(_newest.c.text).where(_newest.c.model_id == row.model_id)).scalar_one()
    parsed = parse_spec(text, source=f"spec of {row.name} in the database")
    return StoredReference(row=_row(row), profile=_profile(row), spec=parsed)


def _row(row: sa.Row[tuple[object, ...]]) -> ReferenceRow:
    return ReferenceRow(
        reference_id=row.id,
        model_id=row.model_id,
        model=ModelKey(row.namespace, row.name),
        cells_id=row.cells_id if row.counted_on is None else row.counted_on,
        base_id=row.base_id,
        created_at=to_millis(row.created_at),
        in_force_since=None if row.since is None else to_millis(row.since),
        adopted=row.adopted_over is not None,
    )


def _profile(row: sa.Row[tuple[object, ...]]) -> ReferenceProfile:
    return decode_profile(row.profile, source=f"reference {row.id} in the database")


def _profile_or_damage(row: sa.Row[tuple[object, ...]]) -> ReferenceProfile | SpecError:
    digest = reference_digest(row.profile)
    if digest != row.digest:
        problem = f"expected bytes of SHA-256 {row.digest[:12]}…, found {digest[:12]}…"
        return SpecError(f"reference {row.id} in the database", (problem,))
    try:
        return _profile(row)
    except SpecError as error:  # of a format that another program wrote
        return error


def reference_adopted_at(connection: sa.Connection, model_id: int) -> int | None:
    """Return when people last put another reference in force (ms); None: never. A rolling one nobody decided on."""
    versions = (
        sa.select(
            spec.c.version,
            spec.c.applied_at,
            spec.c.reference_id,
            sa.func.lag(spec.c.reference_id).over(order_by=spec.c.version).label("before"),
        )
        .where(spec.c.model_id == model_id)
        .subquery()
    )
    query = (
        sa.select(versions.c.applied_at)
        .join(reference, reference.c.id == versions.c.reference_id)
        .where(versions.c.before != versions.c.reference_id, reference.c.base_id.is_(None))
        .order_by(versions.c.version.desc())
        .limit(1)
    )
    adopted = connection.execute(query).scalar()
    return None if adopted is None else to_millis(adopted)

"""Models as people write them: NAME, or NAMESPACE/NAME."""

import sqlalchemy as sa

from monitor.store.schema import model

DEFAULT_NAMESPACE = "default"


def model_named(connection: sa.Connection, text: str) -> int | None:
    """Return the id of the model whose key is written *text*; None when there is none.

    Names may hold slashes; a model of that very name in the default namespace comes first.
    """
    plain = sa.and_(model.c.namespace == DEFAULT_NAMESPACE, model.c.name == text)
    written = sa.func.concat(model.c.namespace, "/", model.c.name) == text
    query = sa.select(model.c.id).where(sa.or_(plain, written)).order_by(sa.case((plain, 0), else_=1)).limit(1)
    return connection.execute(query).scalar()


def model_names(connection: sa.Connection) -> tuple[str, ...]:
    """Return how every model is written, sorted."""
    rows = connection.execute(sa.select(model.c.namespace, model.c.name).order_by(model.c.namespace, model.c.name))
    return tuple(each.name if each.namespace == DEFAULT_NAMESPACE else f"{each.namespace}/{each.name}" for each in rows)

"""Fresh migrated databases in milliseconds: migrate once into a template, copy it for each test."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.services.postgres import PostgresServer

TEMPLATE = "driftline_template"


def create_template(server: PostgresServer) -> str:
    """Create a database with every migration applied; return its name."""
    # imported late: tests of the services alone need no schema
    from monitor.store.migrate import upgrade

    upgrade(server.create_database(TEMPLATE))
    return TEMPLATE


@contextmanager
def fresh_database(server: PostgresServer, *, template: str) -> Iterator[str]:
    """Give the url of a new copy of *template*; drop it afterwards, even with clients connected."""
    name = f"test_{uuid.uuid4().hex}"
    try:
        yield server.create_database(name, template=template)
    finally:
        server.drop_database(name)

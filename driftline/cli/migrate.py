"""`driftline migrate`: brings the database to this program's schema."""

import typer

from monitor.settings import load_settings
from monitor.store.engine import make_engine, require_database, shown_url
from monitor.store.migrate import head, upgrade
from monitor.store.outage import named_outage


def migrate() -> None:
    """Create or upgrade the tables in Postgres. Run it once at first and at every upgrade; twice does no harm."""
    url = load_settings().database_url
    engine = make_engine(url, pool_size=1)
    try:
        require_database(engine)
        with named_outage(engine, "migrating"):
            upgrade(url)
    finally:
        engine.dispose()
    typer.echo(f"{shown_url(url)}: schema is {head()}")

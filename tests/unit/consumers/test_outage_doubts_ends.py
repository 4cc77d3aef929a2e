"""While a service is away nothing is fetched: ends known from before it confirm nothing afterwards."""

from consumers.telemetry import Timings
from consumers.worker import IngestWorker
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.engine import make_engine
from monitor.types import Service
from tests.fakes.records import fresh_state

NOWHERE = "127.0.0.1:1"


def test_what_was_sampled_before_an_outage_is_not_confirmed_by_an_end_of_before_it() -> None:
    """The partition still counts as read to its end, five seconds passed, and records may have come meanwhile."""
    settings = Settings.model_validate(
        {"database_url": f"postgresql+psycopg://{NOWHERE}/driftline", "kafka_bootstrap": NOWHERE}
    )
    engine = make_engine(settings.database_url)
    state = fresh_state(0, settle_seconds=5)
    state.flowing, state.end_offset = True, 0
    try:
        worker = IngestWorker(settings, engine, health=Health(), timings=Timings())
        worker._partitions.states[state.key] = state
        state.confirmation.sample(60_000, now=100)
        state.look_at_end(fetched_end=0, now=106)
        assert (state.at_end, state.confirmed_event_time) == (True, 60_000)
        worker._away(UnavailableError("Postgres does not answer", service=Service.POSTGRES))
        state.look_at_end(fetched_end=0, now=120)
    finally:
        engine.dispose()
    assert (state.at_end, state.confirmed_event_time) == (True, None)

"""Places of versions in the database: the same for every worker, freed by a week without events."""

import threading

import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.store.model_versions import PlacedVersions, VersionClaims, claim_versions, placed_versions
from monitor.store.schema import model_version
from monitor.units import HOUR_MILLIS
from tests.models.credit import START, apply_model

HOUR = START // HOUR_MILLIS * HOUR_MILLIS
DAY = 24 * HOUR_MILLIS


def claim(engine: Engine, model_id: int, cap: int, **hours: int) -> PlacedVersions:
    with engine.begin() as connection:
        return claim_versions(connection, {model_id: VersionClaims(cap=cap, hours=hours)})[model_id]


def test_places_go_to_those_that_come_first_and_are_kept(engine: Engine) -> None:
    """Refused ones are said; what is placed stays so, with its newest hour, for all; `other` is never placed."""
    model_id = apply_model(engine)
    assert claim(engine, model_id, 2, b=HOUR, a=HOUR, c=HOUR) == PlacedVersions(
        hours={"b": HOUR, "a": HOUR}, refused=frozenset({"c"})
    )
    assert claim(engine, model_id, 2, c=HOUR, a=HOUR + HOUR_MILLIS, other=HOUR) == PlacedVersions(
        hours={"b": HOUR, "a": HOUR + HOUR_MILLIS}, refused=frozenset({"c", "other"})
    )
    assert claim(engine, model_id, 3, a=HOUR, c=HOUR).hours == {"b": HOUR, "a": HOUR + HOUR_MILLIS, "c": HOUR}
    with engine.connect() as connection:
        assert placed_versions(connection)[model_id].hours == {"b": HOUR, "a": HOUR + HOUR_MILLIS, "c": HOUR}


def test_a_version_without_events_for_a_week_of_event_time_gives_its_place_away(engine: Engine) -> None:
    """Measured from the model's newest event, not from any clock: a replay decides alike."""
    model_id = apply_model(engine)
    claim(engine, model_id, 2, a=HOUR, b=HOUR + DAY)
    assert claim(engine, model_id, 2, c=HOUR + 7 * DAY).refused == {"c"}
    result = claim(engine, model_id, 2, c=HOUR + 7 * DAY + HOUR_MILLIS)
    assert result == PlacedVersions(hours={"b": HOUR + DAY, "c": HOUR + 7 * DAY + HOUR_MILLIS})


def test_workers_that_claim_at_once_never_place_too_many(engine: Engine) -> None:
    """Eight of them, each with versions of its own: together exactly the cap."""
    model_id = apply_model(engine)
    workers = [
        threading.Thread(target=claim, args=(engine, model_id, 10), kwargs={f"w{n}v{v}": HOUR for v in range(5)})
        for n in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(model_version)).scalar() == 10

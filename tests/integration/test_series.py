"""Series rows: any number of names in one flush, in statements whose size does not grow with them."""

from sqlalchemy import Engine

from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from tests.models.credit import apply_credit_model


def test_a_hundred_thousand_new_series_are_made_at_once(engine: Engine) -> None:
    """Names that producers choose never make a statement longer than the server can read; known ones keep their id."""
    model_id = apply_credit_model(engine)
    keys = {SeriesKey(model_id, f"v'{number}\\", "region", "eu") for number in range(100_000)}
    with engine.begin() as connection:
        first = ensure_series(connection, set(sorted(keys)[:1000]))
        result = ensure_series(connection, keys)
    assert result.keys() == keys
    assert len(set(result.values())) == len(keys)
    assert {key: result[key] for key in first} == first

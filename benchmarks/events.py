"""The benchmark's model and events: 15 floats, 2 integers, 3 categories, a score; 600 to 700 bytes of JSON."""

import json

import numpy as np
import pyarrow as pa

from monitor.clock import iso_utc

FLOATS = tuple(f"measure_{number:02d}" for number in range(15))
INTEGERS = ("visits", "age_days")
CATEGORIES = ("country", "device", "channel")
START_MILLIS = 1_780_272_000_000
EVENTS_PER_SECOND = 10_000  # of event time: a busy model, as the hot path meets it
_VALUES = {
    "country": ("DE", "FR", "ES", "IT", "PL", "NL", "SE", "AT", "CH", "US"),
    "device": ("phone", "tablet", "desktop"),
    "channel": ("web", "app", "partner", "branch", "phone"),
}


def columns(rows: int, *, seed: int) -> dict[str, list[object]]:
    """Return *rows* values of every column, as Python objects."""
    random = np.random.default_rng(seed)
    values_by_name: dict[str, list[object]] = {}
    for number, name in enumerate(FLOATS):
        drawn = random.normal(10 * number, 3, rows) if number % 2 else random.lognormal(1, 0.8, rows)
        values_by_name[name] = [round(value, 4) for value in drawn.tolist()]
    values_by_name["visits"] = random.poisson(6, rows).tolist()
    values_by_name["age_days"] = random.integers(0, 4000, rows).tolist()
    for name, values in _VALUES.items():
        values_by_name[name] = random.choice(values, rows).tolist()
    values_by_name["score"] = [round(value, 6) for value in random.beta(2, 5, rows).tolist()]
    return values_by_name


def reference_table(rows: int = 100_000) -> pa.Table:
    """Return a reference sample of the same distribution."""
    return pa.table(columns(rows, seed=1))


def messages(rows: int, *, seed: int) -> list[tuple[bytes, bytes, int]]:
    """Return (key, value, timestamp in epoch milliseconds) of *rows* prediction events in order of time."""
    drawn = columns(rows, seed=seed)
    names = (*FLOATS, *INTEGERS, *CATEGORIES)
    results = []
    for row in range(rows):
        millis = START_MILLIS + row * 1000 // EVENTS_PER_SECOND
        identity = f"{seed:08x}-{row:012x}"
        event = {
            "prediction_id": identity,
            "model": "bench",
            "version": "3.2.0",
            "timestamp": iso_utc(millis),
            "features": {name: drawn[name][row] for name in names},
            "prediction": {"score": drawn["score"][row]},
            "latency_ms": 12.3,
        }
        results.append((identity.encode(), json.dumps(event).encode(), millis))
    return results

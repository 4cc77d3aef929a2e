"""The soak's models and their events: honest ones, whose features drift in turns, and hostile ones."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.types import OTHER_VERSIONS
from tests.soak.plan import MAX_MESSAGE_BYTES

MODEL = "credit"
FLOODED = "flooded"
FLOOD_PREFIX = "request-"
COUNTRIES = ("AT", "CH", "DE", "FR")
REGIONS = ("eu", "us", "asia")
SCALES = "2m/1m,6m/3m,20m/10m"
PHASE_SECONDS = 180
"""Calm and drifting phases take turns: windows of two and six minutes fit into one."""
SAMPLE_RATE = 0.3


def reference_table(rows: int = 20_000) -> pa.Table:
    """Return past predictions as the honest producer makes them in calm phases."""
    drawn = np.random.default_rng(1)
    return pa.table(
        {
            "amount": np.round(drawn.normal(100, 20, rows), 2),
            "age": drawn.integers(18, 90, rows),
            "country": drawn.choice(COUNTRIES, rows),
            "region": drawn.choice(REGIONS, rows),
            "score": np.round(drawn.beta(2, 5, rows), 4),
            "repaid": drawn.integers(0, 2, rows),
        }
    )


def prediction(draw: random.Random, identity: str, at: int, *, drifting: bool) -> dict[str, Any]:
    """Return an honest event; some values are missing, of the wrong kind or unseen."""
    amount: Any = round(draw.gauss(150 if drifting else 100, 20), 2)
    if draw.random() < 0.01:
        amount = draw.choice((None, "a lot", 1e300))
    return {
        "prediction_id": identity,
        "model": MODEL,
        "version": "2.0" if draw.random() < 0.25 else "1.0",
        "timestamp": at,
        "features": {
            "amount": amount,
            "age": draw.randrange(18, 90),
            "country": draw.choice(COUNTRIES) if draw.random() < 0.99 else draw.choice(("XX", None)),
        },
        "prediction": {"score": round(draw.betavariate(2, 5), 4)},
        "tags": {"region": draw.choice((*REGIONS, "mars"))},
    }


def truth(identity: str, at: int, value: int | str | None) -> dict[str, Any]:
    """Return what turned out to be true of a prediction; None withdraws."""
    return {"prediction_id": identity, "model": MODEL, "timestamp": at, "truth": value}


def deployment(draw: random.Random, at: int, versions: Sequence[str]) -> dict[str, Any]:
    """Return a change of the stage of one of *versions*."""
    return {
        "model": MODEL,
        "version": draw.choice(versions),
        "timestamp": at,
        "stage": draw.choice(("shadow", "canary", "production", "retired")),
        "traffic": draw.choice((None, 0.05, 0.5, 1.0)),
        "manifest": {"code_commit": f"{draw.getrandbits(32):08x}"},
    }


def poison(draw: random.Random, at: int) -> bytes:
    """Return a body that no decoder may accept."""
    event = prediction(draw, f"poison-{draw.getrandbits(64):x}", at, drifting=False)
    return draw.choice(
        (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe\x00",
            b"[" * 2_000,
            json.dumps({**event, "prediction_id": 7}).encode(),
            json.dumps({**event, "version": ["1.0"]}).encode(),
            json.dumps({**event, "features": "none"}).encode(),
            json.dumps({**event, "timestamp": "2026-06-01T12:00:00"}).encode(),
            json.dumps({**event, "padding": "x" * MAX_MESSAGE_BYTES}).encode(),
        )
    )


def flood(draw: random.Random, number: int, at: int) -> dict[str, Any]:
    """Return an event with a version of its own, as of a producer that writes a request id into it."""
    event = prediction(draw, f"flood-{at}-{number}", at, drifting=False)
    return {**event, "model": FLOODED, "version": f"{FLOOD_PREFIX}{at}-{number}"}


def is_flood(version: str) -> bool:
    """Return whether *version* is one of a flood, or what those without a place are counted as."""
    return version.startswith(FLOOD_PREFIX) or version == OTHER_VERSIONS


@dataclass(frozen=True, slots=True)
class Record:
    """One record to be produced; *created_at* is the producer's clock (ms)."""

    topic: str
    key: bytes
    value: bytes
    created_at: int

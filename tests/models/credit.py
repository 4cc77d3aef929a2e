"""A small model for tests: its spec, a synthetic reference, and events in JSON."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import yaml
from sqlalchemy import Engine

from monitor.clock import iso_utc
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind
from tests.models.insert import insert_model

START = 1_780_272_000_000  # 2026-06-01T00:00:00Z
COUNTRIES = ("AT", "CH", "DE")


def spec_text(**changes: Any) -> str:
    """Return the YAML of a binary classifier with two numeric features and a categorical one."""
    document: dict[str, Any] = {
        "model": "credit",
        "task": "binary_classification",
        "reference": "credit.profile",
        "columns": {
            "amount": {"kind": "numeric"},
            "age": {"kind": "numeric"},
            "country": {"kind": "categorical"},
        },
        "prediction": {"score": True},
        "segments": [{"tag": "region", "values": ["eu", "us"]}],
    }
    return yaml.safe_dump({**document, **changes})


def numeric_cells(name: str, edges: Sequence[float], maximum: float, role: ColumnRole) -> ColumnCells:
    return ColumnCells(
        name=name,
        kind=ColumnKind.NUMERIC,
        role=role,
        edges=tuple(edges),
        points=(False,) * len(edges),
        maximum=maximum,
        far_low=edges[0] - 10 * (maximum - edges[0]),
        far_high=maximum + 10 * (maximum - edges[0]),
    )


def layout(cells: int = 20) -> CellsLayout:
    """Return cells for `spec_text`: amount 0 to 100, age 18 to 80, countries, score, latency."""
    return CellsLayout(
        columns=(
            numeric_cells("amount", np.linspace(0, 95, cells).tolist(), 100.0, ColumnRole.FEATURE),
            numeric_cells("age", [float(year) for year in range(18, 80)], 80.0, ColumnRole.FEATURE),
            ColumnCells(name="country", kind=ColumnKind.CATEGORICAL, role=ColumnRole.FEATURE, categories=COUNTRIES),
            numeric_cells("score", np.linspace(0, 0.95, 20).tolist(), 1.0, ColumnRole.SCORE),
            numeric_cells("latency_ms", [0.1, 1.0, 10.0, 100.0], 1000.0, ColumnRole.LATENCY),
        )
    )


def profile(cells: CellsLayout | None = None) -> ReferenceProfile:
    """Return a reference of one row in each cell; its cells are those of `layout` unless given."""
    cells = cells or layout()
    counts = np.zeros(cells.size, dtype="<i8")
    for column, span in zip(cells.columns, cells.spans, strict=True):
        counts[span.start : span.start + column.cells] = 1
    columns = tuple(ColumnReference(name=column.name, bins=tuple(range(column.cells))) for column in cells.columns)
    return ReferenceProfile(layout=cells, rows=1, counts_bytes=counts.tobytes(), columns=columns)


def apply_model(engine: Engine, *, cells: CellsLayout | None = None, **changes: Any) -> int:
    """Put `spec_text` with *changes* and a synthetic reference in force; return the model's id."""
    with engine.begin() as connection:
        return insert_model(connection, spec_text(**changes), profile(cells)).model_id


def prediction_event(number: int, *, at: int = START, **changes: Any) -> dict[str, Any]:
    """Return event *number*, whose values follow from its number; *at*: event time (ms)."""
    features: Mapping[str, Any] = {
        "amount": float(number * 7 % 101),
        "age": 18 + number % 63,
        "country": COUNTRIES[number % 3],
    }
    event = {
        "prediction_id": f"p-{number}",
        "model": "credit",
        "version": "1.0",
        "timestamp": iso_utc(at),
        "features": features,
        "prediction": {"score": (number % 100) / 100},
        "latency_ms": 0.5 + number % 50,
        "tags": {"region": ("eu", "us", "asia")[number % 3]},
    }
    return {name: value for name, value in {**event, **changes}.items() if value is not ...}


def encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()


def apply_credit_model(engine: Engine) -> int:
    """Apply `spec_text` with a tenth of the ids in the ledger."""
    return apply_model(engine, sample_rate=0.1)


def credit_event(number: int, random: Random) -> tuple[bytes, bytes, int]:
    """Return key, body and event time (ms) of a random event of `apply_credit_model`; ten a second, disordered."""
    at = START + number * 100 + random.randrange(-20_000, 20_000)
    event = prediction_event(
        number,
        at=at,
        version=random.choice(("1.0", "1.0", "2.0")),
        features={
            "amount": random.choice((random.gauss(50, 30), None, "twelve", 0.0, 100.0)),
            "age": random.randrange(10, 90),
            "country": random.choice((*COUNTRIES, "FR", None)),
        },
        prediction={"score": random.choice((random.random(), 1.5, None))},
    )
    return f"p-{number}".encode(), encoded(event), at


def credit_bodies(count: int, *, seed: int = 1) -> list[bytes]:
    """Random events: some twice, some broken, some from the future, some far too late."""
    chance, bodies = Random(seed), []
    for number in range(count):
        body = credit_event(number, chance)[1]
        bodies += [body] * (1 + (chance.random() < 0.1))
        if chance.random() < 0.02:
            bodies.append(encoded(prediction_event(number, at=START + 900_000_000)))
        if chance.random() < 0.02:
            bodies.append(encoded(prediction_event(-number, at=START - 90_000_000)))
        if chance.random() < 0.01:
            bodies.append(chance.choice((b"{", b"", b"[]", encoded(prediction_event(1, model="nobody")))))
    return bodies


def good_bodies(first: int, count: int) -> list[bytes]:
    return [encoded(prediction_event(number, at=START + number)) for number in range(first, first + count)]

"""Remarks on a reference's time."""

import numpy as np
import pyarrow as pa

from monitor.reference.build import build_profile
from monitor.reference.checks import remarks
from monitor.reference.description import ReferenceDescription
from monitor.spec.model import ColumnKind

START = 1_780_272_000_000
LENGTHS = (10, 60, 1440)


def _said(rows: int, every: int) -> list[str]:
    table = pa.table({"x": np.random.default_rng(1).normal(size=rows), "at": START + np.arange(rows) * every})
    description = ReferenceDescription(features=(("x", ColumnKind.NUMERIC),), timestamp="at", lengths=LENGTHS)
    profile = build_profile(table, description=description, source="test")
    return [remark.text for remark in remarks(profile, lengths=LENGTHS)]


def test_a_long_dense_reference_needs_no_remark() -> None:
    """Seven days with an event every ten seconds measure every scale."""
    assert _said(7 * 8640, 10_000) == []


def test_too_short_and_too_thin_are_two_things() -> None:
    """Two days with an event every 30 s: a day has no five blocks, ten minutes have 20 values."""
    short, thin = _said(2 * 2880, 30_000)
    assert short.startswith("It covers 2.0 days: the natural movement of columns at 24h is that of 1h")
    assert "6.0 days for 24h" in short
    assert thin == (
        "Too few rows at a time to measure natural movement at 10m: about 20 in 10m, and a block needs 50 values of a "
        "column."
    )


def test_one_moment_measures_nothing() -> None:
    """All rows at one time: nothing is measured, and it is said what would."""
    (said,) = _said(5000, 0)
    assert "at 10m, 1h, 24h is unknown (`uncalibrated`)" in said

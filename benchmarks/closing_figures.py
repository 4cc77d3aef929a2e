"""How long an incident stays open after its change has ended, by the monitor's own windows and incidents; simulated."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from alerting.incidents.observation import WindowObservation, observation_of
from alerting.incidents.state import IncidentIdentity, IncidentState
from alerting.incidents.transition import IncidentRules, transition
from benchmarks.wandering_columns import even_edges, movement_between, shares_of_cells, wandering_paths
from monitor.arrays import Float64s, Int64s
from monitor.detection import PreparedReference, conclude_window, examine_window, prepare_reference
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnRole
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.results import Finding, WindowResult
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.types import (
    EvaluationKind,
    IncidentKind,
    ModelKey,
    Scale,
    SeriesKey,
    Statistic,
    Tier,
)
from monitor.units import MINUTE_MILLIS

COLUMNS = 200
RUNS = 3
BLOCKS = 56
SHIFT = 1.0
LONGEST = 10
"""Windows after the change; what is open still counts as that."""

_SCALE = Scale(length=30, step=3)
_STEPS = _SCALE.length // _SCALE.step
_FIRST_END = 100_000  # minutes since the epoch
_CELLS, _BINS = 20, 10
_ROWS = 20_000
_MEMORY = 2.0  # of natural movement, in windows
_SERIES = SeriesKey(1, "1")
_NAMES = tuple(f"x{number:03}" for number in range(COLUMNS))
_WHO = IncidentIdentity(model=ModelKey("default", "model"), version="1", kind=IncidentKind.DRIFT)
_RULES = IncidentRules(close_after=2, keep_firing_for=0, freshness=None, truth_delay=0)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One judged window, as the evaluator would have stored it."""

    window_end: int
    result: WindowResult
    series: SeriesKey = _SERIES
    scale: Scale = _SCALE
    kind: EvaluationKind = EvaluationKind.INPUTS
    driving: bool = True


@cache
def windows_until_closed(events: int, overdispersion: float, changed: int) -> float:
    """Return the median time from the end of the change to the close, in window lengths.

    Args:
        events: In a window.
        overdispersion: Of every column: 1 is sampling alone.
        changed: Columns that moved, by one standard deviation.
    """
    times = _times_until_let_go(events, overdispersion)
    subsets = np.random.default_rng(changed).permuted(np.tile(times, (401, 1)), axis=1)[:, :changed]
    return float(np.median(subsets.max(axis=1)))


def let_go_while_it_lasts(events: int, *, shift: float) -> float:
    """Return the share of columns that are let go within `LONGEST` windows though their change goes on."""
    return float(np.mean(_run(events, 1.0, seed=0, lasting=shift) < LONGEST))


@cache
def _times_until_let_go(events: int, overdispersion: float) -> Float64s:
    """Return when each of all columns, which all moved, was let go, in window lengths after the change."""
    return np.concatenate([_run(events, overdispersion, seed) for seed in range(RUNS)])


def _run(events: int, overdispersion: float, seed: int, *, lasting: float = 0.0) -> Float64s:
    """Return when each column was let go; *lasting*: of a change of all time, instead of one that has ended."""
    random = np.random.default_rng([events, round(overdispersion), seed])
    sway = np.sqrt((overdispersion - 1.0) / events * (_BINS - 1))
    prepared = _prepared(random, events=events, sway=sway)
    times = np.full(COLUMNS, float(LONGEST))
    state: IncidentState | None = None
    held: frozenset[str] = frozenset(_NAMES)
    for step, counts in enumerate(_windows(random, prepared, events=events, sway=sway, lasting=lasting)):
        facts = _facts(prepared, counts, end=_FIRST_END + step * _SCALE.step)
        if step == 0:
            facts = _proven_everywhere(facts)
        state, _ = transition(state, facts, identity=_WHO, rules=_RULES, now_millis=facts.end)
        columns = state.columns if state is not None and state.is_open else frozenset()
        times[[_NAMES.index(name) for name in held - columns]] = step / _STEPS
        held = held & columns
        if not held:
            break
    return times


def _facts(prepared: PreparedReference, halves: Int64s, *, end: int) -> WindowObservation:
    before, first, second = halves
    events = int(first[: _CELLS + SLOTS].sum() + second[: _CELLS + SLOTS].sum())
    examined = examine_window(prepared, scale=_SCALE, first_half=first, second_half=second, events=events)
    result = conclude_window(prepared, examined, previous=before, previous_events=int(before[: _CELLS + SLOTS].sum()))
    return observation_of(IncidentKind.DRIFT, _Judged(end * MINUTE_MILLIS, result))


def _proven_everywhere(facts: WindowObservation) -> WindowObservation:
    """Return the last window of the change with a finding of every column: what matters here is when they are over."""
    findings = tuple(
        Finding(
            kind=IncidentKind.DRIFT,
            column=name,
            statistic=Statistic.PSI,
            tier=Tier.WARNING,
            endured=True,
            value=1.0,
            bound=0.5,
            threshold=0.1,
        )
        for name in _NAMES
    )
    return WindowObservation(
        end=facts.end,
        length=facts.length,
        step=facts.step,
        tier=Tier.WARNING,
        calm=(False, True, True),
        findings=findings,
        restless=facts.restless,
    )


def _windows(
    random: np.random.Generator, prepared: PreparedReference, *, events: int, sway: float, lasting: float
) -> Iterator[Int64s]:
    """Yield the counts of each window from the last one of the change on: the window before, and both halves."""
    steps = (LONGEST + 2) * _STEPS
    means = sway * wandering_paths(random, (steps, COLUMNS), memory=_MEMORY * _STEPS, along=0)
    means[: 2 * _STEPS if not lasting else steps] += lasting or SHIFT
    counts = random.poisson(events / _STEPS * shares_of_cells(means, cells=_CELLS)).astype(np.int64)
    vectors = np.zeros((steps, COLUMNS, _CELLS + SLOTS), dtype=np.int64)
    vectors[:, :, :_CELLS] = counts
    sums = np.concatenate([np.zeros((1, prepared.layout.size), dtype=np.int64), vectors.reshape(steps, -1).cumsum(0)])
    for end in range(2 * _STEPS, steps + 1):
        cuts = [sums[end - back] for back in (2 * _STEPS, _STEPS, _STEPS // 2, 0)]
        yield np.diff(np.stack(cuts), axis=0)


def _prepared(random: np.random.Generator, *, events: int, sway: float) -> PreparedReference:
    """Return a reference of which each column's natural movement was measured in blocks of the window's length."""
    shares = shares_of_cells(sway * wandering_paths(random, (BLOCKS, COLUMNS), memory=_MEMORY, along=0), cells=_CELLS)
    blocks = random.poisson(events * shares.reshape(BLOCKS, COLUMNS, _BINS, -1).sum(axis=3)).astype(np.int64)
    layout = CellsLayout(
        columns=tuple(
            ColumnCells(
                name=name,
                kind=ColumnKind.NUMERIC,
                role=ColumnRole.FEATURE,
                edges=tuple(np.maximum(even_edges(_CELLS)[:-1], -9.0).tolist()),
                points=(False,) * _CELLS,
                maximum=9.0,
                far_low=-99.0,
                far_high=99.0,
            )
            for name in _NAMES
        )
    )
    counts = np.zeros((COLUMNS, _CELLS + SLOTS), dtype=np.int64)
    counts[:, :_CELLS] = np.round(_ROWS * shares.mean(axis=0))
    bins = tuple(cell * _BINS // _CELLS for cell in range(_CELLS))
    columns = tuple(
        ColumnReference(
            name=name, bins=bins, movement={_SCALE.length: movement_between(blocks[:, column], minutes=_SCALE.length)}
        )
        for column, name in enumerate(_NAMES)
    )
    profile = ReferenceProfile(layout=layout, rows=_ROWS, counts_bytes=counts.astype("<i8").tobytes(), columns=columns)
    spec = ModelSpec.model_validate(
        {
            "model": "model",
            "task": "binary_classification",
            "reference": "model.reference",
            "columns": {name: {"kind": "numeric"} for name in _NAMES},
            "prediction": {"score": True},
            "windows": {"scales": [{"length": "30m", "step": "3m"}], "min_events": events // 2},
        }
    )
    return prepare_reference(spec, profile)

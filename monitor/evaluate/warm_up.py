"""A new version's warm-up: who has one, and what of its first traffic becomes the reference of its prediction; pure.

Everything is decided by event time, from hours that no event can be added to any more, so it comes out the same in
any batch and after any restart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import AnyIntegers, Int64s
from monitor.detection import PreparedReference, WindowHours, examine_window
from monitor.types import IncidentKind, Scale
from monitor.units import HOUR_MILLIS, HOUR_MINUTES, MINUTE_MILLIS
from monitor.windows.blind import BlindSpan
from monitor.windows.sliding import PaneRow

EVENTS_TO_LEARN = 5
"""Times `min_events`: a window of that many is then compared with a reference that is not the noisier one."""


def is_new(version: str, *, deployed: Mapping[str, int], began: Mapping[str, int], warm_up: int) -> bool:
    """Return whether *version*, which was deployed, came next to or after another one, with its first events.

    Args:
        deployed: First deployment (ms) of each version.
        began: First event (ms) of each version.
        warm_up: Its length in milliseconds. What served longer than that before its first deployment is not new.
    """
    since = deployed[version]
    others = [*deployed.items(), *began.items()]
    came_after = any(other != version and moment < since for other, moment in others)
    return came_after and began[version] >= since - warm_up


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRules:
    """What a stretch must hold to be learnt from: *length* in milliseconds of good hours, and *events* in them."""

    length: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntStretch:
    """Good hours of a version: their counts, and the end (ms) of the last; *minutes* without the hours left out."""

    counts: Int64s
    events: int
    minutes: int
    stop: int


def learn_stretch(
    prepared: PreparedReference,
    rows: Sequence[PaneRow],
    *,
    counts_of: Callable[[tuple[PaneRow, ...]], AnyIntegers],
    rules: LearningRules,
    scale: Scale,
    blind: Sequence[BlindSpan],
) -> LearntStretch | None:
    """Return the first stretch of *rows* that can be learnt from; None while there is none.

    Hours in which the prediction is broken or stuck, by the model's reference, or records are missing, are left out.

    Args:
        rows: Of final hours, sorted by start, all on the reference's cells.
        counts_of: Adds up the counts of some rows.
        scale: Of the spec, as that of which hours are examined.
    """
    total: Int64s = np.zeros(prepared.order.size, dtype=np.int64)
    events = good = 0
    for chunk in _chunks(rows, least=prepared.min_events):
        counts = counts_of(chunk)
        start, stop = hour_of(chunk[0]), hour_of(chunk[-1]) + HOUR_MILLIS
        if _is_blind(start, stop, blind) or _is_broken(prepared, chunk, counts, scale=scale):
            continue
        total += counts
        events += sum(row.events for row in chunk)
        good += stop - start
        if good >= rules.length and events >= rules.events:
            return LearntStretch(counts=total, events=events, minutes=good // MINUTE_MILLIS, stop=stop)
    return None


def hour_of(row: PaneRow) -> int:
    """Return the start (ms) of the hour of *row*, which lies in one."""
    return row.start // HOUR_MILLIS * HOUR_MILLIS


def _chunks(rows: Sequence[PaneRow], *, least: int) -> Iterator[tuple[PaneRow, ...]]:
    """Yield whole hours, as few as have *least* events; the last ones may have too few and are left."""
    chunk: list[PaneRow] = []
    for at, row in enumerate(rows):
        chunk.append(row)
        ends_hour = at + 1 == len(rows) or hour_of(rows[at + 1]) != hour_of(row)
        if ends_hour and sum(row.events for row in chunk) >= least:
            yield tuple(chunk)
            chunk = []


def _is_blind(start: int, stop: int, spans: Sequence[BlindSpan]) -> bool:
    return any(span.since < stop and (span.until is None or start < span.until) for span in spans)


def _is_broken(prepared: PreparedReference, chunk: tuple[PaneRow, ...], counts: AnyIntegers, *, scale: Scale) -> bool:
    hours = None
    if prepared.seasonal is not None:
        clock = prepared.seasonal.clock
        came = np.zeros(clock.season.hours, dtype=np.int64)
        for row in chunk:
            came[clock.hour(row.start)] += row.events
        hours = WindowHours(np.zeros_like(came), came)
    examined = examine_window(
        prepared,
        scale=scale,
        first_half=np.zeros(prepared.order.size, dtype=np.int64),
        second_half=counts.astype(np.int64),
        events=sum(row.events for row in chunk),
        hours=hours,
    )
    return any(
        piece.kind is IncidentKind.DATA_QUALITY and prepared.layout.columns[piece.column].role.of_prediction
        for piece in examined.evidence
    )


def scale_of_hours(scales: Sequence[Scale]) -> Scale:
    """Return the scale whose natural movement an hour is judged by: the nearest to an hour."""
    return min(scales, key=lambda scale: abs(scale.length - HOUR_MINUTES))

"""Evaluates windows of one series: counts of the halves and of the window before in, a result out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from monitor.arrays import AnyIntegers, Int64s
from monitor.detection import (
    Examined,
    Prepared,
    WindowHours,
    conclude_window,
    examine_again,
    examine_window,
    season_hour,
    watches_panes,
)
from monitor.evaluate.pane_loading import StepSums
from monitor.results import WindowResult
from monitor.types import InconclusiveReason, Scale, Season, Verdict, Window
from monitor.windows.blind import BlindSpan, is_blind
from monitor.windows.count_cache import CountsCache, RowIds, total
from monitor.windows.sliding import (
    PaneRow,
    SpanCutError,
    StepRows,
    WindowRows,
    is_filling,
    length_millis,
    previous_is_filling,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDecision:
    """A model's reference, prepared, and the order of its cells, newest last.

    Attributes:
        cells_id: The cells of the reference; only windows counted wholly on them can be compared.
        problem: Why there is no reference to compare with; empty when there is. *prepared* is a stand-in then.
        blind: Of which event times records of the model are missing.
        beside: The same under the textbook rule, where windows are judged by both; it knows no hours and no panes.
    """

    prepared: Prepared
    cells_id: int
    size: int
    cells_order: tuple[int, ...]
    spec_version: int
    reference_id: int
    problem: str = ""
    blind: tuple[BlindSpan, ...] = ()
    beside: Prepared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedWindow:
    """The result of one window, and what it was computed from; *beside*: the textbook rule's, if it was asked.

    Attributes:
        sampled, step_sampled: Predictions in the ledger: of the window, and of its last step, None where not known.
    """

    scale: Scale
    end: int
    cells_id: int
    previous_events: int
    sampled: int
    step_sampled: int | None
    result: WindowResult
    beside: WindowResult | None = None


def evaluate_windows(
    connection: sa.Connection,
    cache: CountsCache,
    decision: ModelDecision,
    *,
    rows: Sequence[PaneRow],
    ends: Sequence[tuple[Scale, Sequence[int]]],
    since: int,
) -> Iterator[EvaluatedWindow]:
    """Yield the windows of one series that end at *ends*, scale by scale; *rows* hold all they need, sorted by start.

    *since*: the moment from which the series is complete, see `monitor.windows.sliding`.

    Raises:
        PaneRowsReplaced: A compaction came between; list the rows again.
    """
    sums = StepSums(connection, cache, size=decision.size)
    hours = None if decision.prepared.seasonal is None else StepHours(decision.prepared.seasonal.season)
    for scale, scale_ends in ends:
        steps = StepRows(scale, rows)
        windows = [_cut(steps, scale, end) for end in scale_ends]
        comparable = [
            window for window in windows if isinstance(window, WindowRows) and _comparable(window.rows, decision)
        ]
        loaded = sums.load(step for window in comparable for step in window.first_half + window.second_half)
        for window in windows:
            if isinstance(window, EvaluatedWindow):
                yield window
            elif decision.problem:
                sentence = f"Inconclusive: there is no usable reference. {decision.problem}"
                yield _described(
                    window, decision, _inconclusive(window.rows, InconclusiveReason.NO_REFERENCE, sentence)
                )
            elif is_blind(window.window, decision.blind):
                yield _described(window, decision, _inconclusive(window.rows, InconclusiveReason.BLIND))
            elif not _comparable(window.rows, decision):
                yield _described(window, decision, _inconclusive(window.rows, InconclusiveReason.NEW_CELLS))
            elif is_filling(window.window, since=since):
                yield _described(window, decision, _inconclusive(window.rows, InconclusiveReason.FILLING))
            else:
                result, beside = _decided(window, decision, loaded, sums, hours, since=since)
                yield _described(window, decision, result, beside=beside)


class StepHours:
    """In which hours of the season the events of steps came, each step added up once."""

    def __init__(self, season: Season) -> None:
        self._season = season
        self._known: dict[RowIds, Int64s] = {}

    def of_window(self, window: WindowRows) -> WindowHours:
        """Return the hours of the window's halves and of the window before it."""
        return WindowHours(*(self._sum(steps) for steps in (window.first_half, window.second_half, window.previous)))

    def _sum(self, steps: Sequence[tuple[PaneRow, ...]]) -> Int64s:
        return total((self._of_step(step) for step in steps), size=self._season.hours)

    def _of_step(self, step: tuple[PaneRow, ...]) -> Int64s:
        ids = tuple(row.row_id for row in step)
        if ids not in self._known:
            hours = np.zeros(self._season.hours, dtype=np.int64)
            for row in step:
                hours[season_hour(row.start, self._season)] += row.events
            self._known[ids] = hours
        return self._known[ids]


def _cut(steps: StepRows, scale: Scale, end: int) -> WindowRows | EvaluatedWindow:
    try:
        return steps.window(end)
    except SpanCutError:
        # A scale or step that the spec got after its history was compacted comes here, and events that came after that.
        start = end - length_millis(scale)
        rows = steps.starting_between(start, end)
        before = steps.starting_between(start - length_millis(scale), start)
        return EvaluatedWindow(
            scale=scale,
            end=end,
            cells_id=rows[-1].cells_id if rows else 0,
            previous_events=sum(row.events for row in before),
            sampled=sum(row.sampled for row in rows),
            step_sampled=None,
            result=_inconclusive(rows, InconclusiveReason.COMPACTED),
        )


def _comparable(rows: Sequence[PaneRow], decision: ModelDecision) -> bool:
    return all(row.cells_id == decision.cells_id for row in rows)


def _inconclusive(rows: Sequence[PaneRow], reason: InconclusiveReason, sentence: str = "") -> WindowResult:
    return WindowResult(
        verdict=Verdict.INCONCLUSIVE,
        events=sum(row.events for row in rows),
        reason=reason,
        sentence=sentence or WINDOW_SENTENCES[reason],
    )


WINDOW_SENTENCES = {
    InconclusiveReason.FILLING: "Inconclusive: the series is younger than the window, which is filling.",
    InconclusiveReason.NEW_CELLS: "Inconclusive: new cells took effect, the window is filling.",
    InconclusiveReason.BLIND: "Inconclusive: records of the model are missing, it stands or stood still in a"
    " partition: see `driftline status`.",
    InconclusiveReason.COMPACTED: "Inconclusive: the window cuts into history that had been compacted before it could"
    " be judged.",
}


def _decided(
    window: WindowRows,
    decision: ModelDecision,
    loaded: dict[RowIds, AnyIntegers],
    sums: StepSums,
    hours: StepHours | None,
    *,
    since: int,
) -> tuple[WindowResult, WindowResult | None]:
    scale = window.window.scale
    first_half = _added(window.first_half, loaded, decision.size)
    second_half = _added(window.second_half, loaded, decision.size)
    events = sum(row.events for row in window.rows)
    examined = examine_window(
        decision.prepared,
        scale=scale,
        first_half=first_half,
        second_half=second_half,
        events=events,
        hours=None if hours is None else hours.of_window(window),
        panes=_panes(window, decision, loaded),
    )
    beside = None
    if decision.beside is not None and decision.prepared.seasonal is None:
        beside = examine_again(decision.beside, examined)
    elif decision.beside is not None:
        beside = examine_window(
            decision.beside, scale=scale, first_half=first_half, second_half=second_half, events=events
        )
    needs_previous = examined.needs_previous or (beside is not None and beside.needs_previous)
    previous = None
    before = Window(scale, window.window.start)
    unusable = previous_is_filling(window.window, since=since) or is_blind(before, decision.blind)
    previous_rows = () if unusable else window.previous_rows
    if needs_previous and previous_rows and _comparable(previous_rows, decision):
        previous = _added(window.previous, sums.load(window.previous), decision.size)
    previous_events = sum(row.events for row in previous_rows)

    def concluded(prepared: Prepared, examined: Examined) -> WindowResult:
        return conclude_window(prepared, examined, previous=previous, previous_events=previous_events)

    result = concluded(decision.prepared, examined)
    if decision.beside is None or beside is None:
        return result, None
    return result, concluded(decision.beside, beside)


def _panes(window: WindowRows, decision: ModelDecision, loaded: dict[RowIds, AnyIntegers]) -> tuple[AnyIntegers, ...]:
    if not watches_panes(decision.prepared, window.window.scale):
        return ()
    return tuple(loaded[tuple(row.row_id for row in step)] for step in window.first_half + window.second_half)


def _added(steps: tuple[tuple[PaneRow, ...], ...], loaded: dict[RowIds, AnyIntegers], size: int) -> Int64s:
    return total((loaded[tuple(row.row_id for row in step)] for step in steps), size=size)


def _described(
    window: WindowRows, decision: ModelDecision, result: WindowResult, *, beside: WindowResult | None = None
) -> EvaluatedWindow:
    rows = window.rows
    newest = max((row.cells_id for row in rows), key=decision.cells_order.index, default=decision.cells_id)
    return EvaluatedWindow(
        scale=window.window.scale,
        end=window.window.end,
        cells_id=newest,
        previous_events=sum(row.events for row in window.previous_rows),
        sampled=sum(row.sampled for row in rows),
        step_sampled=window.sampled_in_last_step,
        result=result,
        beside=beside,
    )

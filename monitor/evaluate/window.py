"""Evaluates windows of one series: counts of the halves and of the window before in, a result out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from monitor.arrays import AnyIntegers, Int64s
from monitor.detection import (
    PreparedReference,
    WindowHours,
    conclude_window,
    examine_again,
    examine_window,
    watches_panes,
)
from monitor.evaluate.pane_loading import StepSums, row_ids
from monitor.results import WindowResult
from monitor.season_clock import SeasonClock
from monitor.types import InconclusiveReason, Scale, Verdict, Window
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
        textbook: The same under the textbook rule, where windows are judged by both; it knows no hours and no panes.
    """

    prepared: PreparedReference
    cells_id: int
    size: int
    cells_order: tuple[int, ...]
    spec_version: int
    reference_id: int
    problem: str = ""
    blind: tuple[BlindSpan, ...] = ()
    textbook: PreparedReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedWindow:
    """The result of one window, and what it was computed from.

    Attributes:
        sampled, step_sampled: Predictions in the ledger: of the window, and of its last step, None where not known.
        textbook_result: What the textbook rule says, where the window is judged by both.
    """

    scale: Scale
    end: int
    cells_id: int
    previous_events: int
    sampled: int
    step_sampled: int | None
    result: WindowResult
    textbook_result: WindowResult | None = None


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
    series = _SeriesWindows(StepSums(connection, cache, size=decision.size), decision, since=since)
    for scale, scale_ends in ends:
        steps = StepRows(scale, rows)
        windows = [_cut(steps, scale, end) for end in scale_ends]
        series.load([window for window in windows if isinstance(window, WindowRows)])
        for window in windows:
            yield series.evaluated(window) if isinstance(window, WindowRows) else window


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


class _SeriesWindows:
    """Windows of one series, evaluated one after the other from counts that they share."""

    def __init__(self, sums: StepSums, decision: ModelDecision, *, since: int) -> None:
        self._sums = sums
        self._decision = decision
        self._since = since
        seasonal = decision.prepared.seasonal
        self._hours = None if seasonal is None else StepHours(seasonal.clock)
        self._loaded: dict[RowIds, AnyIntegers] = {}

    def load(self, windows: Sequence[WindowRows]) -> None:
        """Load the counts of all *windows* that can be compared, each step once."""
        comparable = (window for window in windows if self._comparable(window.rows))
        self._loaded = self._sums.load(step for window in comparable for step in window.first_half + window.second_half)

    def evaluated(self, window: WindowRows) -> EvaluatedWindow:
        """Return one loaded window with its result."""
        rows, decision = window.rows, self._decision
        if (reason := self._hindrance(window)) is not InconclusiveReason.CONCLUSIVE:
            result, textbook_result = _inconclusive(rows, reason, decision.problem), None
        else:
            result, textbook_result = self._judged(window)
        return EvaluatedWindow(
            scale=window.window.scale,
            end=window.window.end,
            cells_id=max((row.cells_id for row in rows), key=decision.cells_order.index, default=decision.cells_id),
            previous_events=sum(row.events for row in window.previous_rows),
            sampled=sum(row.sampled for row in rows),
            step_sampled=window.sampled_in_last_step,
            result=result,
            textbook_result=textbook_result,
        )

    def _hindrance(self, window: WindowRows) -> InconclusiveReason:
        """Return why the window cannot be judged, CONCLUSIVE where it can."""
        if self._decision.problem:
            return InconclusiveReason.NO_REFERENCE
        if is_blind(window.window, self._decision.blind):
            return InconclusiveReason.BLIND
        if not self._comparable(window.rows):
            return InconclusiveReason.NEW_CELLS
        filling = is_filling(window.window, since=self._since)
        return InconclusiveReason.FILLING if filling else InconclusiveReason.CONCLUSIVE

    def _judged(self, window: WindowRows) -> tuple[WindowResult, WindowResult | None]:
        decision, scale = self._decision, window.window.scale
        first_half, second_half = self._total(window.first_half), self._total(window.second_half)
        events = sum(row.events for row in window.rows)
        examined = examine_window(
            decision.prepared,
            scale=scale,
            first_half=first_half,
            second_half=second_half,
            events=events,
            hours=None if self._hours is None else self._hours.of_window(window),
            panes=self._panes(window),
        )
        by_rule = [(decision.prepared, examined)]
        if decision.textbook is not None and decision.prepared.seasonal is None:
            by_rule.append((decision.textbook, examine_again(decision.textbook, examined)))
        elif decision.textbook is not None:
            examined = examine_window(
                decision.textbook, scale=scale, first_half=first_half, second_half=second_half, events=events
            )
            by_rule.append((decision.textbook, examined))
        before = () if self._previous_is_unusable(window.window) else window.previous_rows
        previous = None
        if before and self._comparable(before) and any(examined.needs_previous for _, examined in by_rule):
            previous = total(self._sums.load(window.previous).values(), size=decision.size)
        previous_events = sum(row.events for row in before)
        results = [
            conclude_window(prepared, examined, previous=previous, previous_events=previous_events)
            for prepared, examined in by_rule
        ]
        return results[0], None if decision.textbook is None else results[1]

    def _previous_is_unusable(self, window: Window) -> bool:
        before = Window(window.scale, window.start)
        return previous_is_filling(window, since=self._since) or is_blind(before, self._decision.blind)

    def _panes(self, window: WindowRows) -> tuple[AnyIntegers, ...]:
        if not watches_panes(self._decision.prepared, window.window.scale):
            return ()
        return tuple(self._loaded[row_ids(step)] for step in window.first_half + window.second_half)

    def _total(self, steps: Sequence[tuple[PaneRow, ...]]) -> Int64s:
        return total((self._loaded[row_ids(step)] for step in steps), size=self._decision.size)

    def _comparable(self, rows: Sequence[PaneRow]) -> bool:
        return all(row.cells_id == self._decision.cells_id for row in rows)


class StepHours:
    """In which hours of the season the events of steps came, each step added up once."""

    def __init__(self, clock: SeasonClock) -> None:
        self._clock = clock
        self._known: dict[RowIds, Int64s] = {}

    def of_window(self, window: WindowRows) -> WindowHours:
        """Return the hours of the window's halves and of the window before it."""
        return WindowHours(*(self._sum(steps) for steps in (window.first_half, window.second_half, window.previous)))

    def _sum(self, steps: Sequence[tuple[PaneRow, ...]]) -> Int64s:
        return total((self._of_step(step) for step in steps), size=self._clock.season.hours)

    def _of_step(self, step: tuple[PaneRow, ...]) -> Int64s:
        ids = row_ids(step)
        if ids not in self._known:
            hours = np.zeros(self._clock.season.hours, dtype=np.int64)
            for row in step:
                hours[self._clock.hour(row.start)] += row.events
            self._known[ids] = hours
        return self._known[ids]


WINDOW_SENTENCES = {
    InconclusiveReason.NO_REFERENCE: "Inconclusive: there is no usable reference.",
    InconclusiveReason.FILLING: "Inconclusive: the series is younger than the window, which is filling.",
    InconclusiveReason.NEW_CELLS: "Inconclusive: new cells took effect, the window is filling.",
    InconclusiveReason.BLIND: "Inconclusive: records of the model are missing, it stands or stood still in a"
    " partition: see `driftline status`.",
    InconclusiveReason.COMPACTED: "Inconclusive: the window cuts into history that had been compacted before it could"
    " be judged.",
}


def _inconclusive(rows: Sequence[PaneRow], reason: InconclusiveReason, problem: str = "") -> WindowResult:
    return WindowResult(
        verdict=Verdict.INCONCLUSIVE,
        events=sum(row.events for row in rows),
        reason=reason,
        sentence=f"{WINDOW_SENTENCES[reason]} {problem}".rstrip(),
    )

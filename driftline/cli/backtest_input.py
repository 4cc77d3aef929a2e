"""Reads the files and options of `driftline backtest`."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.backtest import History, HistoryColumns, TruthTable, history_of, identities, truths_of
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import read_reference, read_spec_text
from monitor.clock import iso_utc, to_millis
from monitor.errors import SpecError
from monitor.humanize import span_text
from monitor.reference.arrow_columns import UncountableColumn, epoch_millis, read_table
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.units import MINUTE_MILLIS, millis, parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthOptions:
    """Options on truths, as given on the command line.

    Attributes:
        file: Where the truths are; None: with their predictions.
        truth: Column with what turned out to be true; None: there are no truths.
        known: Column with when it was known, or *delay*: how long after its prediction.
    """

    file: Path | None = None
    truth: str | None = None
    known: str | None = None
    delay: str | None = None

    def require_complete(self, *, identity: str | None) -> None:
        """Return when the options say all there is to say.

        Raises:
            WrongUseError: Names what is missing or too much.
        """
        if self.truth is None:
            for option, said in (("--truths", self.file), ("--truth-known", self.known), ("--truth-delay", self.delay)):
                if said is not None:
                    raise WrongUseError(f"{option}: expected --truth COLUMN with it, found none")
            return
        if (self.known is None) == (self.delay is None):
            stated = "neither" if self.known is None else "both"
            raise WrongUseError(
                "--truth: expected --truth-known COLUMN (when each truth was known) or --truth-delay 2d (how long"
                f" after its prediction), found {stated}"
            )
        if identity is None:
            raise WrongUseError("--truth: expected --id COLUMN, by which truths find their predictions; found none")

    def read(self, table: pa.Table, *, identity: str | None, timestamp: str, source: str) -> TruthTable | None:
        """Return the truths, None where none are asked for.

        Args:
            table: The history, from *source*, with its columns of ids and times.

        Raises:
            SpecError: The file or a column cannot be used, or no truth has the id of a prediction.
            WrongUseError: The delay is none.
        """
        if self.truth is None or identity is None:
            return None
        other, place = (table, source) if self.file is None else (read_table(self.file), str(self.file))
        if self.known is not None:
            return truths_of(other, identity=identity, truth=self.truth, known=self.known, source=place)
        try:
            delay = millis(parse_duration(self.delay))
        except ValueError as error:
            raise WrongUseError(f"--truth-delay: {error}") from error
        if self.file is not None:
            other = _with_times(other, table, identity=identity, timestamp=timestamp, source=place)
        return truths_of(other, identity=identity, truth=self.truth, known=timestamp, delay_millis=delay, source=place)


def _with_times(truths: pa.Table, history: pa.Table, *, identity: str, timestamp: str, source: str) -> pa.Table:
    """Return the truths that have a prediction, with its time as a column."""
    if identity not in truths.column_names:
        known = ", ".join(truths.column_names)
        raise SpecError(source, (f"column {identity!r}: expected one of {known}; found none",))
    of_prediction = identities(history[identity]).combine_chunks()
    place = pc.index_in(identities(truths[identity]), value_set=of_prediction)
    has_prediction = pc.is_valid(place)
    if not pc.any(has_prediction).as_py():
        first, example = of_prediction[0].as_py(), identities(truths[identity])[0].as_py()
        problem = f"expected ids of predictions, as {first!r}; found none, the first is {example!r}"
        raise SpecError(source, (f"column {identity!r}: {problem}",))
    kept = truths.filter(has_prediction)
    times = history[timestamp].take(place.filter(has_prediction))
    others = [name for name in kept.column_names if name != timestamp]
    return kept.select(others).append_column(timestamp, times)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """Options of the command, as given; names are those of columns, None where an option was not given."""

    spec: Path
    data: Path
    timestamp: str | None = None
    identity: str | None = None
    version: str | None = None
    score: str | None = None
    label: str | None = None
    value: str | None = None
    latency: str | None = None
    truths: TruthOptions = field(default_factory=TruthOptions)
    start: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestInput:
    """Everything a backtest needs; *timestamp*: the column that the times were read from."""

    spec: ModelSpec
    profile: ReferenceProfile
    history: History
    truths: TruthTable | None
    timestamp: str


def read_input(request: BacktestRequest) -> BacktestInput:
    """Return what *request* names, read and checked.

    Raises:
        SpecError: A file or its columns cannot be used; every problem at once.
        WrongUseError: Options that do not go together or name nothing.
    """
    request.truths.require_complete(identity=request.identity)
    spec = parse_spec(read_spec_text(request.spec), source=str(request.spec))
    profile = read_reference(request.spec, spec)
    table = read_table(request.data)
    timestamp = request.timestamp or _time_column(table, spec)
    table = _between(table, timestamp, request)
    columns = HistoryColumns(
        timestamp=timestamp,
        identity=request.identity,
        version=request.version,
        score=_part(table, "score", request.score, counted=spec.prediction.score),
        label=_part(table, "label", request.label, counted=spec.prediction.label),
        value=_part(table, "value", request.value, counted=spec.prediction.value),
        latency=request.latency,
    )
    history = history_of(table, spec=spec, layout=profile.layout, columns=columns, source=str(request.data))
    _require_a_window(history, spec, request)
    truths = request.truths.read(table, identity=request.identity, timestamp=timestamp, source=str(request.data))
    return BacktestInput(spec=spec, profile=profile, history=history, truths=truths, timestamp=timestamp)


def _time_column(table: pa.Table, spec: ModelSpec) -> str:
    """Return the only column of times that is no feature."""
    candidates = [
        name
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and name not in spec.columns
    ]
    if len(candidates) == 1:
        return str(candidates[0])
    known = ", ".join(table.column_names)
    many = f"{', '.join(candidates)}: say which" if candidates else f"no column of times among {known}"
    raise WrongUseError(f"--timestamp: expected the column with the event times, found {many}")


def _between(table: pa.Table, timestamp: str, request: BacktestRequest) -> pa.Table:
    start, stop = _moment("--from", request.start), _moment("--to", request.stop)
    if start is None and stop is None:
        return table
    if timestamp not in table.column_names:
        return table  # history_of names it among all other problems
    try:
        times = epoch_millis(table[timestamp])
    except UncountableColumn as error:
        raise SpecError(str(request.data), (f"column {timestamp!r}: {error}",)) from error
    chosen = np.ones(len(times), dtype=np.bool_)
    if start is not None:
        chosen &= times >= start
    if stop is not None:
        chosen &= times < stop
    if not chosen.any():
        said = (("--from", request.start), ("--to", request.stop))
        wanted = " ".join(f"{option} {text}" for option, text in said if text is not None)
        raise WrongUseError(
            f"{wanted}: expected some of the rows, found none: they go from {iso_utc(int(times.min()))} to"
            f" {iso_utc(int(times.max()))}"
        )
    return table if chosen.all() else table.filter(pa.array(chosen))


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"{option}: expected a time like 2026-06-01T00:00:00Z or a day, found {text!r}") from error
    if moment.tzinfo is None and len(text) > len("2026-06-01"):
        raise WrongUseError(f"{option}: expected a time with its zone, like 2026-06-01T00:00:00Z, found {text!r}")
    return to_millis(datetime.fromisoformat(f"{text}T00:00:00Z") if moment.tzinfo is None else moment)


def _part(table: pa.Table, name: str, said: str | None, *, counted: bool) -> str | None:
    """Return the column with one part of the prediction: what was said, or the one of that name."""
    if not counted:
        if said is not None:
            raise WrongUseError(f"--{name} {said}: expected none, for the spec says prediction.{name}: false")
        return None
    return said or next(
        (candidate for candidate in (PREDICTION_PREFIX + name, name) if candidate in table.column_names), None
    )


def _require_a_window(history: History, spec: ModelSpec, request: BacktestRequest) -> None:
    shortest = min(scale.length for scale in spec.scales)
    first, last = int(history.times[0]), int(history.times[-1])
    if last - first < shortest * MINUTE_MILLIS:
        raise WrongUseError(
            f"{request.data}: expected at least {span_text(shortest)} of history, the shortest window of the spec;"
            f" found {(last - first) / MINUTE_MILLIS:.1f} minutes, from {iso_utc(first)} to {iso_utc(last)}"
        )

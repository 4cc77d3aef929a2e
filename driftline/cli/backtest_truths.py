"""The options of `driftline backtest` about truths: which column, and when each was known."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from driftline.backtest import TruthTable, identities, truths_of
from driftline.cli.exits import WrongUseError
from monitor.errors import SpecError
from monitor.reference.arrow_columns import read_table
from monitor.units import millis, parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthOptions:
    """What the user said.

    Attributes:
        file: Where the truths are; None: beside their predictions.
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
            found = "neither" if self.known is None else "both"
            raise WrongUseError(
                "--truth: expected --truth-known COLUMN (when each truth was known) or --truth-delay 2d (how long"
                f" after its prediction), found {found}"
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
    found = pc.is_valid(place)
    if not pc.any(found).as_py():
        first, example = of_prediction[0].as_py(), identities(truths[identity])[0].as_py()
        problem = f"expected ids of predictions, as {first!r}; found none, the first is {example!r}"
        raise SpecError(source, (f"column {identity!r}: {problem}",))
    kept = truths.filter(found)
    times = history[timestamp].take(place.filter(found))
    others = [name for name in kept.column_names if name != timestamp]
    return kept.select(others).append_column(timestamp, times)

"""One stream's windows as the peers see them: raw samples of the reference and of each window."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

TIME = "at"
SAMPLE_ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWindows:
    """What a peer is given.

    Attributes:
        reference: All of the reference in order of event, with the column `at`.
        sample: At most `SAMPLE_ROWS` rows of it, evenly taken, for peers that compare whole samples each time.
        current: The current part, with `at`.
        bounds: First row and the row after the last of each window of the current part.
        length: Of the windows, in ms, for peers that cut the time themselves.
    """

    columns: tuple[str, ...]
    reference: pd.DataFrame
    sample: pd.DataFrame
    current: pd.DataFrame
    bounds: tuple[tuple[int, int], ...]
    length: int

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (self.current.iloc[first:stop] for first, stop in self.bounds)


def read_windows(directory: Path) -> PeerWindows:
    """Return the stream that was written to *directory*: two Parquet files and `windows.json`."""
    reference, current = (_frame(directory / f"{part}.parquet") for part in ("reference", "current"))
    asked = json.loads((directory / "windows.json").read_text())
    times = current[TIME].to_numpy().astype("datetime64[ms]").astype(np.int64)
    places = np.searchsorted(times, np.array(asked["windows"]).reshape(-1, 2))
    bounds = tuple((int(first), int(stop)) for first, stop in places)
    return PeerWindows(
        columns=tuple(asked["columns"]),
        reference=reference,
        sample=reference.iloc[:: max(1, len(reference) // SAMPLE_ROWS)].reset_index(drop=True),
        current=current,
        bounds=bounds,
        length=asked["length"],
    )


def is_categorical(values: pd.Series) -> bool:
    """Return whether *values* are categories rather than numbers."""
    return not pd.api.types.is_numeric_dtype(values)


def present(values: pd.Series) -> pd.Series:
    """Return the values that are there and finite."""
    return values.dropna() if is_categorical(values) else values.replace([np.inf, -np.inf], np.nan).dropna()


def strongest_first(scores: dict[str, float]) -> list[str]:
    """Return the columns by falling score."""
    return sorted(scores, key=lambda name: (-scores[name], name))


def _frame(path: Path) -> pd.DataFrame:
    frame = pq.read_table(path).to_pandas()
    for name in frame.columns:
        if name != TIME and is_categorical(frame[name]):
            frame[name] = frame[name].astype(str).where(frame[name].notna(), None).astype("category")
        elif name != TIME:
            frame[name] = frame[name].astype(np.float64)
    frame[TIME] = pd.to_datetime(frame[TIME]).dt.tz_localize(None)
    return frame

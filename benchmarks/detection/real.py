"""The four real sets as streams: a reference part, and what came after it.

The census comes with `make .cache/datasets/.ready`. No package registry has the other three: they are judged where
their files were put into .cache/datasets by hand.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.detection.catalogue import SPARSE_SCALES
from benchmarks.detection.recipe import START
from benchmarks.detection.stream import (
    DAY,
    HOUR,
    IDENTITY,
    LABEL,
    MINUTE,
    SCORE,
    TIME,
    TRUTH,
    TRUTH_TIME,
    Stream,
    time_column,
    times_of,
)
from tests.services.datasets import CENSUS_ANALYSIS, CENSUS_REFERENCE, CENSUS_TRUTH, DATASETS

ELECTRICITY = DATASETS / "electricity.csv"
BANK = DATASETS / "bank-additional.zip"
BIKE = DATASETS / "bike_sharing_dataset.zip"
CENSUS_EVERY, CENSUS_TRUTH_DELAY = 1000, 6 * HOUR
ELECTRICITY_BEGUN = 831_427_200_000  # 1996-05-07T00:00:00Z, the first half hour of the file
ELECTRICITY_FIRST, ELECTRICITY_REFERENCE = 17_760, 12_240
BANK_REFERENCE = 15_000
NO_FEATURES_OF_BANK = ("y", "duration", "month", "day_of_week")
BIKE_FEATURES = ("temp", "atemp", "hum", "windspeed", "weathersit", "hr", "weekday", "workingday", "holiday", "cnt")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSet:
    """One real set.

    Attributes:
        length: Of the disjoint windows on which all are compared, in ms.
        files: What it is read from.
        origin: Where the files come from.
        scales: Length and step in minutes where some default scales hold too few events; else empty.
        description: What it is, and how its parts and times were chosen, for the page.
    """

    name: str
    length: int
    description: str
    files: tuple[Path, ...]
    origin: str
    read: Callable[[], Stream]
    scales: tuple[tuple[int, int], ...] = ()

    @property
    def missing(self) -> tuple[Path, ...]:
        """The files that are not there."""
        return tuple(path for path in self.files if not path.exists())


def _census() -> Stream:
    reference, current, truth = (pq.read_table(path) for path in (CENSUS_REFERENCE, CENSUS_ANALYSIS, CENSUS_TRUTH))
    features = [name for name in reference.column_names if name.isupper()]
    rows = pc.index_in(current["id"], value_set=truth["id"].combine_chunks())
    times = START + np.arange(reference.num_rows + current.num_rows, dtype=np.int64) * CENSUS_EVERY
    parts = []
    for table, at, truths in (
        (reference, times[: reference.num_rows], reference["employed"]),
        (current, times[reference.num_rows :], truth["employed"].take(rows)),
    ):
        columns = {TIME: time_column(at), **{name: table[name] for name in features}}
        columns |= {SCORE: table["predicted_probability"], LABEL: table["prediction"], TRUTH: truths}
        parts.append(pa.table(columns))
    arrived = time_column(times[reference.num_rows :] + CENSUS_TRUTH_DELAY)
    later = parts[1].append_column(TRUTH_TIME, arrived).append_column(IDENTITY, current["id"].cast(pa.string()))
    return Stream(name="census", seed=0, reference=parts[0], current=later)


def _electricity() -> Stream:
    table = pyarrow.csv.read_csv(ELECTRICITY).drop_columns(["class"])
    times = ELECTRICITY_BEGUN + np.arange(table.num_rows, dtype=np.int64) * 30 * MINUTE
    table = table.append_column(TIME, time_column(times)).slice(ELECTRICITY_FIRST)
    return _cut("electricity", table, ELECTRICITY_REFERENCE)


def _bank() -> Stream:
    with zipfile.ZipFile(BANK) as archive:
        raw = archive.read("bank-additional/bank-additional-full.csv")
    table = pyarrow.csv.read_csv(BytesIO(raw), parse_options=pyarrow.csv.ParseOptions(delimiter=";"))
    times = START + np.arange(table.num_rows, dtype=np.int64) * MINUTE
    table = table.drop_columns(list(NO_FEATURES_OF_BANK)).append_column(TIME, time_column(times))
    return _cut("bank", table, BANK_REFERENCE)


def _bike() -> Stream:
    with zipfile.ZipFile(BIKE) as archive:
        table = pyarrow.csv.read_csv(BytesIO(archive.read("hour.csv")))
    days = table["dteday"].cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy()
    times = days + table["hr"].to_numpy() * HOUR
    reference_rows = int((table["yr"].to_numpy() == 0).sum())
    return _cut("bike", table.select(BIKE_FEATURES).append_column(TIME, time_column(times)), reference_rows)


def _cut(name: str, table: pa.Table, reference_rows: int) -> Stream:
    if np.any(np.diff(times_of(table)) < 0):
        raise ValueError(f"{name}: expected rows in order of time, found some that go back")
    return Stream(name=name, seed=0, reference=table.slice(0, reference_rows), current=table.slice(reference_rows))


REAL_SETS = (
    RealSet(
        name="census",
        length=HOUR,
        description="US census, Massachusetts: 68,785 people of 2015 as reference, 208,892 of 2016-2018 after them, "
        "one a second in file order; a model's score and label, truths six hours later. Rows are ordered partly by "
        "place.",
        files=(CENSUS_REFERENCE, CENSUS_ANALYSIS, CENSUS_TRUTH),
        origin="make .cache/datasets/.ready",
        read=_census,
    ),
    RealSet(
        name="electricity",
        length=7 * DAY,
        scales=((7 * 1440, 720),),
        description="New South Wales electricity market, every half hour: the 255 days from when Victoria's prices are "
        "there (May 1997) as reference, 319 days after them. One scale of 7 days.",
        files=(ELECTRICITY,),
        origin="data/electricity.csv of CapyMOA's repository",
        read=_electricity,
    ),
    RealSet(
        name="bank",
        length=DAY,
        scales=SPARSE_SCALES,
        description="Portuguese bank's calls in order of time, one a minute: 15,000 calls of summer 2008 as reference, "
        "the 26,188 until 2010 after them, through the crisis.",
        files=(BANK,),
        origin="UCI Machine Learning Repository, doi 10.24432/C5K306",
        read=_bank,
    ),
    RealSet(
        name="bike",
        length=28 * DAY,
        scales=((28 * 1440, 7 * 1440),),
        description="Washington bike sharing, every hour: 2011 as reference, 2012 after it; demand grew by two thirds. "
        "One scale of 28 days, since no default one holds 200 events.",
        files=(BIKE,),
        origin="UCI Machine Learning Repository, doi 10.24432/C5W894",
        read=_bike,
    ),
)

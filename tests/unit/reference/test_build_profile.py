"""Profiles of whole tables: real data against brute force, and what cannot be counted."""

from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import SpecError
from monitor.reference.arrow_columns import natural_kind
from monitor.reference.build import build_profile
from monitor.reference.description import ReferenceDescription
from monitor.reference.layout import ColumnRole, Slot
from monitor.reference.profile import ReferenceProfile, decode_profile, encode_profile
from monitor.reference.rows import scaled_weights
from monitor.spec.model import ColumnKind
from monitor.truth_age import AgeBucket, age_bucket, age_buckets
from tests.services.datasets import CENSUS_REFERENCE

START = 1_780_272_000_000
LENGTHS = (10, 30, 60, 240, 1440, 10080)


@pytest.fixture(scope="module")
def census(datasets: None) -> pa.Table:
    """The census, a row every ten seconds."""
    table = pyarrow.parquet.read_table(CENSUS_REFERENCE)
    return table.append_column("at", pa.array(START + np.arange(len(table)) * 10_000))


@pytest.fixture(scope="module")
def description(census: pa.Table) -> ReferenceDescription:
    others = {"id", "employed", "year", "prediction", "predicted_probability", "at"}
    return ReferenceDescription(
        features=tuple((field.name, natural_kind(field.type)) for field in census.schema if field.name not in others),
        score="predicted_probability",
        label="prediction",
        truth="employed",
        timestamp="at",
        lengths=LENGTHS,
    )


@pytest.fixture(scope="module")
def profile(census: pa.Table, description: ReferenceDescription) -> ReferenceProfile:
    return build_profile(census, description=description, source="census")


def test_every_count_of_the_census_equals_brute_force(
    census: pa.Table, description: ReferenceDescription, profile: ReferenceProfile
) -> None:
    """Cells counted by Python's own Counter, column by column; nothing is in a slot, nothing is lost."""
    for column, span, source in zip(profile.layout.columns, profile.layout.spans, description.counted, strict=False):
        counted = Counter(census[source.source].to_pylist())
        cells = profile.counts[span.start : span.slots]
        assert cells.sum() == len(census)
        assert not profile.counts[span.slots : span.slots + Slot.FAR_LOW].any()
        if column.kind is ColumnKind.CATEGORICAL:
            assert dict(zip(column.categories, cells.tolist(), strict=True)) == {str(k): n for k, n in counted.items()}
        else:
            ends = [*column.edges[1:], np.inf]
            values = np.sort(census[source.source].to_numpy())
            expected = [
                int(np.count_nonzero((values >= a) & (values < b))) for a, b in zip(column.edges, ends, strict=True)
            ]
            assert cells.tolist() == expected


def test_the_layout_is_features_then_prediction_then_latency(profile: ReferenceProfile) -> None:
    """Order, names and roles that ingest counts by; latency last, without counts."""
    assert [(column.name, column.role) for column in profile.layout.columns[-3:]] == [
        ("prediction.score", ColumnRole.SCORE),
        ("prediction.label", ColumnRole.LABEL),
        ("latency_ms", ColumnRole.LATENCY),
    ]
    assert all(column.role is ColumnRole.FEATURE for column in profile.layout.columns[:-3])
    assert [column.name for column in profile.columns] == [column.name for column in profile.layout.columns]
    assert profile.counts[profile.layout.spans[-1].start :].sum() == 0


def test_bins_of_the_score_are_its_deciles(census: pa.Table, profile: ReferenceProfile) -> None:
    """A tenth of the census in each bin, to within a cell's thousandth; each cell has one bin, in order."""
    index = [column.name for column in profile.columns].index("prediction.score")
    bins, span = np.array(profile.columns[index].bins), profile.layout.spans[index]
    assert len(bins) == span.slots - span.start
    assert (np.diff(bins) >= 0).all()
    held = np.bincount(bins, weights=profile.counts[span.start : span.slots])
    assert len(held) == 10
    assert held == pytest.approx(len(census) / 10, abs=len(census) / 1000 + 1)


def test_time_blocks_cover_the_reference(census: pa.Table, profile: ReferenceProfile) -> None:
    """Blocks of 5 m from the first row to the last, without a gap."""
    assert (profile.block_minutes, profile.start, profile.end) == (5, START, START + (len(census) - 1) * 10_000)
    assert np.diff(profile.block_starts).tolist() == [5 * 60_000] * (len(profile.block_starts) - 1)
    assert profile.block_starts[0] == START
    assert profile.block_starts[-1] <= START + (len(census) - 1) * 10_000 < profile.block_starts[-1] + 5 * 60_000


def test_a_profile_of_before_keeps_its_bytes(profile: ReferenceProfile) -> None:
    """It holds counts of its blocks that nothing reads: read and written again it still is the reference it was."""
    before = encode_profile(msgspec.structs.replace(profile, blocks_bytes=bytes(range(256))))
    assert encode_profile(decode_profile(before, source="before")) == before
    assert profile.blocks_bytes == b""


def test_truths_are_counted_by_block(census: pa.Table, profile: ReferenceProfile) -> None:
    """By numpy, for each five minutes that have rows."""
    agreeing = census["prediction"].to_numpy() == census["employed"].to_numpy()
    blocks = (census["at"].to_numpy() - START) // (5 * 60_000)
    assert profile.truth_blocks is not None
    assert profile.truth_blocks.minutes == 5
    assert profile.truth_blocks.starts == profile.block_starts
    expected = np.stack([np.bincount(blocks), np.bincount(blocks[agreeing], minlength=blocks.max() + 1)], axis=1)
    assert profile.truth_blocks.counts.tolist() == expected.tolist()


HOUR = 3_600_000
FEW = pa.table(
    {
        "at": [START, START, START + HOUR, START + 2 * HOUR],
        "label": ["1", "0", "1", "1"],
        "truth": ["1", "1", None, "1"],
    }
)
OF_FEW = ReferenceDescription(features=(), label="label", truth="truth", timestamp="at", lengths=(120,))


def test_blocks_without_truths_are_left_out_and_weights_count_by_block() -> None:
    """Three hours: one right of two, none with a truth, one right; weights are those within the hour."""
    truths = build_profile(FEW, description=OF_FEW, source="s").truth_blocks
    assert truths is not None
    assert (truths.minutes, truths.starts) == (60, (START, START + 2 * HOUR))
    assert truths.counts.tolist() == [[2, 1], [1, 1]]
    weights = scaled_weights(np.array([1.0, 1.0, 9.0, 5.0]))
    weighed = build_profile(FEW, description=OF_FEW, source="s", weights=weights)
    assert weighed.truth_blocks == truths
    untimed = replace(OF_FEW, timestamp=None)
    assert build_profile(FEW, description=untimed, source="s").truth_blocks is None


def test_truths_are_counted_by_their_age() -> None:
    """A minute old and right, two days old and wrong, one whose time is not known; weighed, as the whole is."""
    known = pa.array([START + 60_000, START + 48 * HOUR, START + 2 * HOUR, None], pa.int64())
    table, described = FEW.append_column("known", known), replace(OF_FEW, truth_time="known")
    profile = build_profile(table, description=described, source="s")
    assert profile.truth_ages == ((AgeBucket.M1, 1, 1), (AgeBucket.D3, 1, 0))
    assert (profile.labelled, profile.correct) == (3, 2)
    assert decode_profile(encode_profile(profile), source="s").truth_ages == profile.truth_ages
    weights = scaled_weights(np.array([2.0, 2.0, 1.0, 1.0]))
    weighed = build_profile(table, description=described, source="s", weights=weights)
    assert weighed.truth_ages == ((AgeBucket.M1, 1, 1), (AgeBucket.D3, 1, 0))
    without = encode_profile(build_profile(FEW, description=OF_FEW, source="s"))
    assert "truth_ages" not in msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(without))
    with pytest.raises(SpecError, match="column 'known': expected epoch milliseconds, found 7"):
        build_profile(FEW.append_column("known", pa.array([7] * 4)), description=described, source="s")


@given(
    times=st.lists(st.tuples(st.integers(0, 10**12), st.integers(-(10**6), 10**11)), min_size=1),
)
def test_buckets_of_many_ages_are_those_of_one(times: list[tuple[int, int]]) -> None:
    """The vectorised buckets are `age_bucket`'s, at the limits too."""
    times += [(0, limit + more) for limit in (60_000, 3_600_000, 90 * 24 * HOUR) for more in (-1, 0, 1)]
    made, late = np.array(times).T
    buckets = age_buckets(event_times=made, known_at=made + late)
    assert buckets.tolist() == [age_bucket(event_time=at, known_at=at + age) for at, age in times]


def test_a_profile_without_blocks_of_truths_is_written_as_before_there_were_any() -> None:
    """No key of that name in its bytes, so its identity stays; with them they come back."""
    profile = build_profile(FEW, description=OF_FEW, source="s")
    without = encode_profile(msgspec.structs.replace(profile, truth_blocks=None))
    assert "truth_blocks" not in msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(without))
    assert decode_profile(without, source="before").truth_blocks is None
    assert decode_profile(encode_profile(profile), source="now").truth_blocks == profile.truth_blocks


def test_movement_is_known_for_every_window_and_half(profile: ReferenceProfile) -> None:
    """Eight days in blocks measure a day's movement; at 7 d it is the next shorter one's, `estimated`."""
    for column in profile.columns[:-1]:
        assert sorted(column.movement) == [5, 10, 15, 30, 60, 120, 240, 720, 1440, 5040, 10080]
        assert column.movement[1440].status == "measured"
        assert column.movement[10080].status == "estimated"
        assert sorted(column.share_variance) == sorted(column.movement)


def test_accuracy_is_that_of_the_file(census: pa.Table, profile: ReferenceProfile) -> None:
    """Labels that equal the truth, by numpy."""
    agreeing = census["prediction"].to_numpy() == census["employed"].to_numpy()
    assert (profile.correct, profile.labelled) == (agreeing.sum(), len(census))


def test_the_same_table_gives_the_same_bytes(
    census: pa.Table, description: ReferenceDescription, profile: ReferenceProfile
) -> None:
    """Built again, and from the table in other chunks: equal bytes; decoding them gives the profile back."""
    encoded = encode_profile(profile)
    rechunked = pa.concat_tables([census.slice(0, 1000), census.slice(1000)])
    assert encode_profile(build_profile(rechunked, description=description, source="census")) == encoded
    assert encode_profile(decode_profile(encoded, source="bytes")) == encoded


def test_accuracy_by_score_needs_both_a_score_and_a_truth() -> None:
    """From the threshold on the positive class is predicted; rows without score or truth do not count."""
    table = pa.table({"s": [0.5, 0.49, 0.9, None, 0.1], "t": ["yes", "no", "no", "yes", None]})
    built = ReferenceDescription(features=(), score="s", truth="t", positive="yes", negative="no")
    profile = build_profile(table, description=built, source="x")
    assert (profile.correct, profile.labelled) == (2, 3)


def test_slots_of_the_reference_hold_what_is_in_no_cell() -> None:
    """Nulls are missing, NaN and infinity invalid; cells and these two make all rows."""
    table = pa.table({"x": [1.0, None, float("nan"), float("inf"), 1.0, 2.0]})
    built = ReferenceDescription(features=(("x", ColumnKind.NUMERIC),))
    profile = build_profile(table, description=built, source="x")
    # cells: 1, (1, 2), 2; then the slots
    assert profile.counts[:10].tolist() == [2, 0, 1, 1, 2, 0, 0, 0, 0, 0]


def test_a_constant_column_has_one_bin_and_does_not_move() -> None:
    """Nothing to compare within one bin: no error, movement uncalibrated."""
    at = pa.array(START + np.arange(2000) * 60_000)
    table = pa.table({"x": [3.0] * 2000, "flag": [True] * 2000, "at": at})
    built = ReferenceDescription(
        features=(("x", ColumnKind.NUMERIC), ("flag", ColumnKind.CATEGORICAL)), timestamp="at", lengths=(60,)
    )
    profile = build_profile(table, description=built, source="x")
    assert [column.bins for column in profile.columns[:2]] == [(0,), (0,)]
    assert {movement.status for movement in profile.columns[0].movement.values()} == {"uncalibrated"}


def test_without_times_nothing_is_calibrated() -> None:
    """No timestamp column: no blocks, and every length says so."""
    built = ReferenceDescription(features=(("x", ColumnKind.NUMERIC),), lengths=(10,))
    profile = build_profile(pa.table({"x": [1.0, 2.0]}), description=built, source="x")
    assert (profile.block_minutes, profile.block_starts, profile.start) == (0, (), None)
    assert {length: movement.status for length, movement in profile.columns[0].movement.items()} == {
        5: "uncalibrated",
        10: "uncalibrated",
    }


def test_every_column_that_cannot_be_counted_is_named_at_once() -> None:
    """Seven different faults in one table: one error, a line each."""
    table = pa.table(
        {
            "empty": pa.array([None] * 1200, pa.float64()),
            "nan": [float("nan")] * 1200,
            "name": [f"user {n}" for n in range(1200)],
            "when": pa.array([0] * 1200, pa.timestamp("s")),
            "word": ["x"] * 1200,
            "probability": [1.5] * 1200,
            "year": [2015] * 1200,
        }
    )
    kinds = dict.fromkeys(("empty", "nan", "word"), ColumnKind.NUMERIC)
    kinds |= dict.fromkeys(("name", "when"), ColumnKind.CATEGORICAL)
    built = ReferenceDescription(
        features=tuple(kinds.items()), score="probability", truth="when", timestamp="year", lengths=(10,)
    )
    with pytest.raises(SpecError) as caught:
        build_profile(table, description=built, source="x.csv")
    assert sorted(caught.value.problems) == [
        "column 'empty': expected values, found none: 1200 are missing, 0 not finite",
        "column 'name': expected at most 1000 categories, found 1200 (an identifier or free text? "
        "for example 'user 0')",
        "column 'nan': expected values, found none: 0 are missing, 1200 not finite",
        "column 'probability': expected scores between 0 and 1, found 1.5 to 1.5",
        "column 'when': expected text, booleans or numbers, found timestamp[s]",
        "column 'when': expected text, booleans or numbers, found timestamp[s]",
        "column 'word': expected numbers, found string",
        "column 'year': expected epoch milliseconds, found 2015 in row 1; 1,200 of 1,200 rows are outside 1973 to 2286",
    ]


def test_columns_that_are_not_there_are_named_with_those_that_are() -> None:
    """A misspelt name is answered with the table's names."""
    built = ReferenceDescription(features=(("agee", ColumnKind.NUMERIC),), label="lable")
    with pytest.raises(SpecError) as caught:
        build_profile(pa.table({"age": [1], "label": ["a"]}), description=built, source="x")
    assert len(caught.value.problems) == 2
    assert "column 'agee': expected one of age, label" in caught.value.problems[0]

"""Natural movement per window length: which blocks are used, and what replaces them where there are too few."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import msgspec
import numpy as np
import pytest

from monitor.arrays import Int64s
from monitor.number_codec import ten_digits
from monitor.reference import movement as movement_module
from monitor.reference.layout import CellsLayout
from monitor.reference.movement import column_movements, disjoint_blocks, share_movements
from monitor.reference.profile import ColumnReference, empty_profile, encode_profile
from monitor.stats.natural_movement import NaturalMovement, natural_movement, natural_share_movement
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS


def starts_of(blocks: int, *, minutes: int, first: int = 0) -> tuple[int, ...]:
    return tuple(first + index * minutes * MINUTE_MILLIS for index in range(blocks))


def test_blocks_are_aligned_to_the_epoch_and_thin_edges_left_out() -> None:
    """A reference from 0:50 to 4:20 has whole hours 1, 2, 3; its 10 minutes before go, its 20 after too.

    0:50   1:00        2:00        3:00        4:00  4:20
      |  1  |     6     |     6     |     6     |  2   |     blocks of ten minutes
    """
    counts = np.full((21, 2), 50)
    starts = starts_of(21, minutes=10, first=50 * MINUTE_MILLIS)
    blocks = disjoint_blocks(counts, starts=starts, block_minutes=10, length=60)
    assert blocks.tolist() == [[300, 300]] * 3
    counts[-2:] *= 2  # a busy evening: its first 20 minutes hold two thirds of a median hour
    blocks = disjoint_blocks(counts, starts=starts, block_minutes=10, length=60)
    assert blocks[:, 0].tolist() == [300, 300, 300, 200]


def test_a_thin_whole_block_stays() -> None:
    """A quiet night is covered in full, so it is a block like any other, at the edge too."""
    counts = np.array([[10], [100], [100], [100], [10]])
    blocks = disjoint_blocks(counts, starts=starts_of(5, minutes=60), block_minutes=60, length=60)
    assert blocks[:, 0].tolist() == [10, 100, 100, 100, 10]


def test_gaps_make_no_blocks() -> None:
    """Hours without events are not empty blocks."""
    starts = (0, HOUR_MILLIS, 5 * HOUR_MILLIS)
    blocks = disjoint_blocks(np.array([[7], [8], [9]]), starts=starts, block_minutes=60, length=60)
    assert blocks[:, 0].tolist() == [7, 8, 9]


def test_each_length_is_measured_on_its_own_blocks_and_long_ones_are_estimated() -> None:
    """Twelve hours measure 1 h and 2 h; 4 h has three blocks and takes the numbers of 2 h."""
    generator = np.random.default_rng(50)
    panes = generator.multinomial(400, generator.dirichlet(np.full(8, 30.0), 12))
    result = column_movements(
        starts=starts_of(12, minutes=60),
        block_minutes=60,
        bin_counts=panes.astype(np.uint32),
        lengths=(30, 60, 120, 240),
    )
    assert {length: movement.status for length, movement in result.items()} == {
        30: "uncalibrated",
        60: "measured",
        120: "measured",
        240: "estimated",
    }
    assert (result[30].kappa, result[30].nu) == (0.0, 7.0)
    by_two = natural_movement(panes.reshape(6, 2, 8).sum(axis=1))
    assert by_two is not None
    assert (result[120].kappa, result[120].nu) == (ten_digits(by_two.kappa), ten_digits(by_two.nu))
    assert (result[240].kappa, result[240].nu) == (result[120].kappa, result[120].nu)


def test_without_time_everything_is_uncalibrated() -> None:
    """A reference without time stamps, and a constant column, move by nothing that is known."""
    none = column_movements(starts=(), block_minutes=0, bin_counts=np.zeros((0, 10), dtype=np.int64), lengths=(5, 10))
    assert {(movement.kappa, movement.nu, movement.status) for movement in none.values()} == {
        (0.0, 9.0, "uncalibrated")
    }
    constant = column_movements(
        starts=starts_of(20, minutes=60), block_minutes=60, bin_counts=np.full((20, 1), 500), lengths=(60,)
    )
    assert (constant[60].nu, constant[60].status) == (1.0, "uncalibrated")


def test_share_variances_are_those_of_the_blocks() -> None:
    """A missing share that wanders has its variance; what never happens has none; long lengths take the shorter's."""
    generator = np.random.default_rng(51)
    totals = np.full(40, 1000)
    missing = generator.binomial(1000, generator.beta(5.0, 95.0, 40))
    slots = np.column_stack([missing, np.zeros(40, dtype=np.int64), np.zeros(40, dtype=np.int64)])
    result = share_movements(
        starts=starts_of(40, minutes=60), block_minutes=60, slot_counts=slots, totals=totals, lengths=(60, 1440)
    )
    natural = natural_share_movement(missing, totals)
    assert natural is not None
    assert result[60].variances == (ten_digits(natural.kappa), 0.0, 0.0)
    # Beta(5, 95) has a variance of p (1 - p) / 101.
    assert result[60].variances[0] == pytest.approx(1 / 101, rel=0.6)
    assert 10 < result[60].blocks[0] < 40
    assert result[60].sampling == ten_digits(natural.sampling) == pytest.approx(1 / 1000 + 1 / 39_000)
    assert result[1440] == result[60]


def test_another_machine_stores_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that differ in their last bits, as sums do between libraries, leave the profile's digest as it is."""
    generator = np.random.default_rng(52)
    blocks = generator.multinomial(800, generator.dirichlet(np.full(8, 200.0), 60))
    totals = np.full(60, 1000)
    missing = generator.binomial(1000, generator.beta(5.0, 95.0, 60))
    slots = np.column_stack([missing, generator.binomial(1000, 0.01, 60), generator.binomial(1000, 0.002, 60)])
    starts, lengths = starts_of(60, minutes=60), (60, 120, 240)

    def digest() -> str:
        movement = column_movements(starts=starts, block_minutes=60, bin_counts=blocks, lengths=lengths)
        shares = share_movements(starts=starts, block_minutes=60, slot_counts=slots, totals=totals, lengths=lengths)
        column = ColumnReference(
            name="a",
            bins=tuple(range(8)),
            movement={
                length: msgspec.structs.replace(
                    movement[length], share_blocks=shares[length].blocks, share_sampling=shares[length].sampling
                )
                for length in lengths
            },
            share_variance={length: shares[length].variances for length in lengths},
        )
        profile = msgspec.structs.replace(empty_profile(CellsLayout(columns=())), columns=(column,))
        return sha256(encode_profile(profile)).hexdigest()

    def perturbed(exact: Callable[..., NaturalMovement | None]) -> Callable[..., NaturalMovement | None]:
        def measure(*counts: Int64s) -> NaturalMovement | None:
            natural = exact(*counts)
            assert natural is not None
            noise = 1.0 + generator.choice([-1e-15, 1e-15], 4)
            return replace(
                natural,
                kappa=natural.kappa * noise[0],
                nu=natural.nu * noise[1],
                autocorrelation=natural.autocorrelation * noise[2],
                sampling=natural.sampling * noise[3],
            )

        return measure

    here = digest()
    monkeypatch.setattr(movement_module, "natural_movement", perturbed(natural_movement))
    monkeypatch.setattr(movement_module, "natural_share_movement", perturbed(natural_share_movement))
    assert {digest() for _ in range(20)} == {here}

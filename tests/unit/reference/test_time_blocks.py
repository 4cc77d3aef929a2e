"""Blocks of the reference's time."""

import numpy as np
import pytest

from monitor.reference import movement as module
from monitor.reference.movement import time_blocks
from monitor.units import MINUTE_MILLIS

DEFAULT_LENGTHS = (10, 30, 60, 240, 1440, 10080)
START = 1_780_272_000_000


def test_blocks_add_up_to_every_window_and_half() -> None:
    """The default scales' halves of 5 m, 15 m, 30 m, 2 h, 12 h, 84 h give blocks of 5 m, without empty ones.

    ::

        rows    x  x        .        x
        blocks |0    |            |1    |
               0     5     10     15    20 minutes
    """
    times = START + np.array([0, 4, 15]) * MINUTE_MILLIS
    blocks = time_blocks(times, lengths=DEFAULT_LENGTHS, counts_per_block=1)
    assert blocks.minutes == 5
    assert blocks.starts == (START, START + 15 * MINUTE_MILLIS)
    assert blocks.of_row.tolist() == [0, 0, 1]


def test_a_row_on_an_edge_belongs_to_the_block_it_begins() -> None:
    """Blocks are half-open, to the millisecond."""
    edge = START + 5 * MINUTE_MILLIS
    blocks = time_blocks(np.array([edge - 1, edge]), lengths=(10,), counts_per_block=1)
    assert blocks.starts == (START, edge)


def test_the_shortest_windows_are_given_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many blocks of 5 m become blocks of 15 m, 30 m, and at last twice the longest half."""
    times = START + np.arange(0, 240, 5) * MINUTE_MILLIS
    for limit, minutes in ((48, 5), (16, 15), (15, 30), (8, 30), (7, 60), (3, 120)):
        monkeypatch.setattr(module, "MAXIMUM_BLOCKS", limit)
        assert time_blocks(times, lengths=(10, 30, 60), counts_per_block=1).minutes == minutes


def test_many_columns_make_longer_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on all counts together binds where that on the blocks does not."""
    monkeypatch.setattr(module, "MAXIMUM_BLOCK_COUNTS", 1600)
    times = START + np.arange(0, 240, 5) * MINUTE_MILLIS
    assert time_blocks(times, lengths=(10, 30, 60), counts_per_block=100).minutes == 15

"""How far a share may move between windows, from blocks of their length and of shorter ones."""

import msgspec
import numpy as np
import pytest
from scipy.special import chdtri

from monitor.arrays import Float64s
from monitor.detection.share_variances import share_variances
from monitor.reference.layout import CellsLayout
from monitor.reference.profile import ColumnMovement, ColumnReference, ReferenceProfile
from monitor.types import Calibration

DAY, HOUR = 1440, 60
SEVEN_DAYS = ColumnMovement(
    kappa=0.0, nu=9.0, status=Calibration.MEASURED, blocks=7, share_blocks=(5.0, 5.0, 5.0), share_sampling=0.0001
)
HOURS = msgspec.structs.replace(SEVEN_DAYS, blocks=168, share_blocks=(160.0, 160.0, 160.0), share_sampling=0.0024)


def share_variances_at_a_day(
    lengths: dict[int, ColumnMovement], variances: dict[int, tuple[float, float, float]], *, still: int | None = None
) -> Float64s:
    """Return the variances of the four shares, all of which have events in the reference but *still*."""
    column = ColumnReference(name="c", bins=(), movement=lengths, share_variance=variances)
    profile = ReferenceProfile(layout=CellsLayout(columns=()), rows=70_000, counts_bytes=b"", columns=(column,))
    moving = np.arange(4)[np.newaxis] != still
    return share_variances(profile, (column,), moving=moving, length=DAY, alpha=1e-5)[0]


def test_shares_move_by_what_few_blocks_may_hide() -> None:
    """Seven days raise a share's variance many times, and its sampling with it; the share without events stays at 0."""
    days = share_variances_at_a_day({DAY: SEVEN_DAYS}, {DAY: (0.001, 0.0, 0.002)}, still=2)
    times = days[0] / (0.001 + 0.0001)
    assert times > 10
    assert days.tolist() == pytest.approx([0.0011 * times, 0.0001 * times, 0.0, 0.0], abs=0.0001)
    assert days[1] > 0.0


def test_shorter_blocks_bound_the_movement_of_a_share() -> None:
    """168 hours say more of a day than seven days do, also where neither shows any movement."""
    seven = share_variances_at_a_day({DAY: SEVEN_DAYS}, {DAY: (0.001, 0.0, 0.002)})
    both = share_variances_at_a_day({HOUR: HOURS, DAY: SEVEN_DAYS}, {HOUR: (0.002, 0.0, 0.1), DAY: (0.001, 0.0, 0.002)})
    # Hours may hide a third of their own chance from a day, where F alone would say a fifth.
    assert both[0] == pytest.approx(0.0044 * 160 / chdtri(160.0, 0.99) - 0.0024, rel=1e-9)
    assert both[1] == pytest.approx(0.0024 * (160 / chdtri(160.0, 0.99) - 1.0), rel=1e-9)
    assert both[1] < seven[1]
    assert both[2] == seven[2]


def test_a_length_with_a_shorter_ones_blocks_is_bound_as_by_these() -> None:
    """Where seven days hold too few blocks of a length, it has the hours' numbers, and the hours' uncertainty."""
    hours = {HOUR: (0.002, 0.0, 0.1)}
    alone = share_variances_at_a_day({HOUR: HOURS, DAY: HOURS}, {**hours, DAY: hours[HOUR]})
    assert alone[0] == pytest.approx(0.0044 * 160 / chdtri(160.0, 0.99) - 0.0024, rel=1e-9)


def test_shares_of_older_profiles_keep_what_they_showed() -> None:
    """Without their sampling variance it is that of the reference's rows; a share that showed none has none."""
    old = msgspec.structs.replace(SEVEN_DAYS, share_sampling=0.0)
    variances = share_variances_at_a_day({DAY: old}, {DAY: (0.001, 0.0, 0.002)})
    assert variances[0] > 10 * 0.001
    assert (variances[1], variances[3]) == (0.0, 0.0)
    unmeasured = ColumnMovement(kappa=0.0, nu=9.0, status=Calibration.UNCALIBRATED)
    assert not share_variances_at_a_day({DAY: unmeasured}, {DAY: (0.0, 0.0, 0.0)}).any()

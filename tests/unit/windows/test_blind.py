"""Which windows are blind: those that a model's stop in a partition reaches into."""

import pytest

from monitor.types import Scale, Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.blind import BlindSpan, is_blind

HOUR = Window(Scale(60, 5), 100 * MINUTE_MILLIS)  # minutes 40 to 100


@pytest.mark.parametrize(
    ("since", "until", "blind"),
    [
        # 40        window        100
        # |---------------------------|
        (99, None, True),  # it lasts: a minute is enough
        (100, None, False),
        (0, None, True),
        (90, 200, True),  #           |==...   ten minutes of sixty
        (95, 200, False),  #               |=...   five
        (0, 45, False),  # ...=|
        (0, 46, True),  # ...==|
        (50, 56, True),
        (50, 55, False),
        (100, 200, False),
        (0, 40, False),
    ],
)
def test_a_stop_that_lasts_blinds_at_once_and_one_that_is_over_from_a_tenth(
    since: int, until: int | None, blind: bool
) -> None:
    """Half-open on both sides."""
    span = BlindSpan(since * MINUTE_MILLIS, None if until is None else until * MINUTE_MILLIS)
    assert is_blind(HOUR, [span]) == blind
    assert is_blind(HOUR, [BlindSpan(0, 1), span]) == blind


def test_without_a_stop_nothing_is_blind() -> None:
    """No spans, no doubt."""
    assert not is_blind(HOUR, [])

"""A window that reaches back before its series began is filling."""

from monitor.types import Scale, Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import filled_from, is_filling, previous_is_filling

HOUR = 60 * MINUTE_MILLIS
FOUR_HOURS, TEN_MINUTES = Scale(240, 20), Scale(10, 1)


def test_a_long_window_is_judged_from_the_first_full_one_on() -> None:
    """The first window that lies wholly in the series, by its first hour, is the first that is judged.

    ::

        9h      10h     11h     12h     13h     14h     15h     16h     17h     18h
                 |..first pane 10:37
        |---------- ends 13h: filling --|
                |---------- ends 14h: judged ---|
                                                |-- ends 18h: its previous is full --|
    """
    since = filled_from(10 * HOUR + 37 * MINUTE_MILLIS)
    assert since == 10 * HOUR
    assert is_filling(Window(FOUR_HOURS, 13 * HOUR), since=since)
    assert not is_filling(Window(FOUR_HOURS, 14 * HOUR), since=since)
    assert previous_is_filling(Window(FOUR_HOURS, 17 * HOUR), since=since)
    assert not previous_is_filling(Window(FOUR_HOURS, 18 * HOUR), since=since)


def test_a_short_window_is_judged_from_the_start() -> None:
    """Ten minutes hold no daily cycle to be mistaken in."""
    assert not is_filling(Window(TEN_MINUTES, HOUR + MINUTE_MILLIS), since=HOUR)


def test_compaction_of_the_first_pane_changes_nothing() -> None:
    """A first pane of a minute, of ten minutes and of an hour give one answer."""
    starts = (10 * HOUR + 37 * MINUTE_MILLIS, 10 * HOUR + 30 * MINUTE_MILLIS, 10 * HOUR)
    assert len({filled_from(start) for start in starts}) == 1

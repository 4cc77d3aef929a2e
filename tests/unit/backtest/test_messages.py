"""Messages that incidents would have sent, and how long they were open."""

from driftline.backtest.report.incidents import OpenSpan, is_page, messages_of, open_millis, open_spans, times_begun
from monitor.types import IncidentKind, Tier
from tests.models.credit import START
from tests.unit.backtest.outcomes import HOUR, incident, step

LIVELY = incident(
    step(1 * HOUR, "opened", Tier.WARNING),
    step(2 * HOUR, "escalated", Tier.ALERT),
    step(4 * HOUR, "calmed", Tier.WARNING),
    step(5 * HOUR, "resolved", Tier.NONE),
    step(7 * HOUR, "re-opened", Tier.CRITICAL),
)


def test_an_incident_is_open_from_step_to_step() -> None:
    """
    ```text
    hours   0    1         2        4         5       7           10
                 |warning--|alert---|warning--|       |critical---|  history ends
    ```
    """
    assert open_spans(LIVELY, until=START + 10 * HOUR) == (
        OpenSpan(START + 1 * HOUR, START + 2 * HOUR, Tier.WARNING),
        OpenSpan(START + 2 * HOUR, START + 4 * HOUR, Tier.ALERT),
        OpenSpan(START + 4 * HOUR, START + 5 * HOUR, Tier.WARNING),
        OpenSpan(START + 7 * HOUR, START + 10 * HOUR, Tier.CRITICAL),
    )
    assert times_begun(LIVELY) == 2


def test_time_in_an_incident_is_counted_once() -> None:
    """
    ```text
    hours    0    1         4    5    6         9
    drift         |--------------|
    quality                 |---------|
    other                                       |     open for no time: the history ends here
    ```
    """
    incidents = [
        incident(step(1 * HOUR, "opened", Tier.WARNING), step(5 * HOUR, "resolved", Tier.NONE)),
        incident(
            step(4 * HOUR, "opened", Tier.WARNING),
            step(6 * HOUR, "resolved", Tier.NONE),
            kind=IncidentKind.DATA_QUALITY,
        ),
        incident(step(9 * HOUR, "opened", Tier.WARNING), version="2"),
    ]
    assert open_millis(incidents, until=START + 9 * HOUR) == 5 * HOUR


def test_pages_are_bad_news_of_tier_alert_and_above() -> None:
    """Opening and rising wake people; calming, closing, warnings and silent steps do not."""
    assert [is_page(taken_step) for taken_step in LIVELY.steps] == [False, True, False, False, True]
    assert not is_page(step(HOUR, "opened", Tier.CRITICAL, notified=False))
    assert is_page(step(HOUR, "announced", Tier.ALERT))


def test_one_window_end_is_one_message() -> None:
    """Two incidents that open at one end make one message, of the worse kind; a silent step makes none."""
    quiet = incident(step(2 * HOUR, "opened", Tier.WARNING), kind=IncidentKind.DATA_QUALITY)
    silent = incident(step(3 * HOUR, "opened", Tier.ALERT, notified=False), version="2")
    messages = messages_of([LIVELY, quiet, silent])
    # ends: 1 warning; 2 page (with the quiet one); 4 and 5 follow-ups; 7 page
    assert (messages.pages, messages.warnings, messages.follow_ups) == (2, 1, 2)

"""Numbers as people read them (percentages, spans, times, counts, rates), and text from outside made safe to print."""

import unicodedata
from datetime import UTC, datetime

from monitor.units import DAY_MINUTES, HOUR_MINUTES


def printable(text: str) -> str:
    """Return *text* on one line without anything that a terminal obeys, each such character as Python writes it.

    Control characters (ESC, C1, line ends), format characters (U+202E and the like turn the reading direction) and
    halves of surrogates: a name from an event could otherwise forge lines, recolour or clear a screen.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else _escaped(character) for character in text)


def printable_lines(text: str) -> str:
    """Return the same for a text of our own with several lines: its line feeds stay."""
    return "\n".join(map(printable, text.split("\n")))


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"  # spaces of every width do no harm


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str) -> str:
    """Return *count* with its noun: '1 page', '1,200 pages'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share in percent; what is not all is never rounded up to all, nor what is not nothing to nothing."""
    value = 100.0 * share
    if 0.0 < value < 0.01:
        return "under 0.01 %"
    if 99.9 < value < 100.0:
        return "over 99.9 %"
    if value < 1.0:
        return f"{value:.1g} %"
    return f"{value:.0f} %" if 10.0 <= value < 99.0 else f"{round(value, 1):g} %"


def percent_cell(share: float) -> str:
    """Return the same for a column of them: one decimal under ten, so that they align."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if 0 < value < 10 or 99 <= value < 100 else f"{value:.0f} %"


def index_text(value: float) -> str:
    """Return a PSI or a distance with two digits, three where two would leave nothing."""
    return f"{value:.2f}" if value >= 0.01 else f"{value:.3f}"


def rate(value: float) -> str:
    """Return how often something happens: '0', 'under 0.001', '0.034', '0.3', '1,200'."""
    if value == 0:
        return "0"
    if value < 0.001:
        return "under 0.001"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def span_text(minutes: int) -> str:
    """Return a span in its largest whole unit: 90 -> '90m', 1440 -> '24h'; days only from two days on."""
    if minutes % DAY_MINUTES == 0 and minutes > DAY_MINUTES:
        return f"{minutes // DAY_MINUTES}d"
    return f"{minutes // HOUR_MINUTES}h" if minutes % HOUR_MINUTES == 0 else f"{minutes}m"


def span_words(minutes: int) -> str:
    """Return a span as it is read in a sentence: 60 -> '1 h'."""
    text = span_text(minutes)
    return f"{text[:-1]} {text[-1]}"


def duration(minutes: float) -> str:
    """Return how long something took, in brief: '25 min', '3.4 h', '2.1 days'."""
    if minutes < HOUR_MINUTES:
        return f"{minutes:.0f} min"
    if minutes < 2 * DAY_MINUTES:
        return f"{minutes / HOUR_MINUTES:.1f} h"
    return f"{minutes / DAY_MINUTES:.1f} days"


def duration_words(minutes: float) -> str:
    """Return how long something took, in words: '25 minutes', '5.0 hours', '6.9 days', '21 days'."""
    if minutes < 2 * HOUR_MINUTES:
        return f"{minutes:.0f} minutes"
    if minutes < DAY_MINUTES:
        return f"{minutes / HOUR_MINUTES:.1f} hours"
    days = minutes / DAY_MINUTES
    return f"{days:.1f} days" if days < 10 else f"{days:.0f} days"


def moment(millis: int | None) -> str | None:
    """Return epoch milliseconds in UTC, to the minute when it is a whole one: '2026-06-04 12:40'; None stays None."""
    if millis is None:
        return None
    return datetime.fromtimestamp(millis // 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")


def minute_of(at: str) -> str:
    """Return an RFC 3339 time to the minute: '2026-06-04 12:40'."""
    return at[:16].replace("T", " ")

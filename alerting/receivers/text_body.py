"""A briefing as plain text: the body of a mail, the description of an alert; pure."""

from collections.abc import Iterator

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped

LINE_CHARACTERS = 1000
LINES = 300


def plain_text(briefing: Briefing) -> str:
    """Return title, answers, actions, and the statistics at the end; no longer than a person reads, whatever comes."""
    lines = [clipped(line, LINE_CHARACTERS) for line in _lines(briefing)]
    return "\n".join(lines[:LINES])


def _lines(briefing: Briefing) -> Iterator[str]:
    yield briefing.title
    for heading, answers, _ in briefing.blocks:
        yield ""
        if heading:
            yield heading
        for label, text in answers:
            yield f"{label}: {text}"
    if briefing.actions:
        yield ""
        yield "Actions:"
        for line in briefing.actions:
            yield f"- {line}"
    yield ""
    for label, text in briefing.closing:
        yield f"{label}: {text}"
    if evidence := [line for _, _, lines in briefing.blocks for line in lines]:
        yield ""
        yield "Evidence:"
        for line in evidence:
            yield f"- {line}"

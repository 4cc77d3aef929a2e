"""The receiver `teams`: an Adaptive Card to a Workflows webhook of Microsoft Teams, never above 28 KB; pure.

Texts are text runs, which know no Markdown: a name such as `[x](http://…)` or `**now**` is shown as it is written.
Workflows answers 202. It cannot change a card or reply to one: each message is a card of its own, with the incident's
id, so that a search for it shows them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alerting.notifications.briefing import Answer, Briefing
from alerting.notifications.plain_text import clipped, web_link
from alerting.receivers.request import HttpRequest, json_request
from monitor.types import NoticeEvent, Tier

LINK_CHARACTERS = 2000
CARD_BYTES = 28 * 1000  # "about 28 KB", everything included

_COLOURS = {Tier.CRITICAL: "Attention", Tier.ALERT: "Warning", Tier.WARNING: "Accent", Tier.NONE: "Default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsTarget:
    """A channel's or chat's workflow "when a webhook request is received"; its address is a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of a briefing goes into a card."""

    incidents: int
    evidence: int
    characters: int


# From everything to the least that still has every answer.
_DETAILS = (_Detail(10, 10, 2000), _Detail(10, 0, 600), _Detail(4, 0, 400), _Detail(1, 0, 400), _Detail(1, 0, 120))


def trigger(briefing: Briefing, target: TeamsTarget) -> HttpRequest:
    """Post a card."""
    for detail in _DETAILS:
        request = json_request(target.url, _card(briefing, detail))
        if len(request.body) <= CARD_BYTES:
            return request
    raise AssertionError("the shortest card has a bound on each of its texts")


def update(briefing: Briefing, target: TeamsTarget) -> HttpRequest:
    """Post another card."""
    return trigger(briefing, target)


def acknowledge(briefing: Briefing, target: TeamsTarget) -> HttpRequest:
    """Post another card: somebody deals with it."""
    return trigger(briefing, target)


def end(briefing: Briefing, target: TeamsTarget) -> HttpRequest:
    """Post another card: it is over."""
    return trigger(briefing, target)


def _card(briefing: Briefing, detail: _Detail) -> dict[str, Any]:
    links = ((web_link(briefing.link), "Open"), (web_link(briefing.runbook), "Runbook"))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": clipped(briefing.title, detail.characters),
        "body": list(_body(briefing, detail)),
        "actions": [
            {"type": "Action.OpenUrl", "title": title, "url": link}
            for link, title in links
            if link and len(link) <= LINK_CHARACTERS
        ],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _body(briefing: Briefing, detail: _Detail) -> Iterator[dict[str, Any]]:
    over = briefing.event in (NoticeEvent.END, NoticeEvent.ACKNOWLEDGE)
    colour = "Good" if over else _COLOURS[Tier.of_word(briefing.tier)]
    title = _run(clipped(briefing.title, detail.characters), weight="Bolder", size="Large", color=colour)
    yield {"type": "RichTextBlock", "inlines": [title]}
    shown = list(briefing.blocks)
    for heading, answers, _ in shown[: detail.incidents]:
        if heading:
            yield _block(_run(clipped(heading, detail.characters), weight="Bolder"), separator=True)
        yield from (_answer(answer, detail) for answer in answers)
    if (more := len(shown) - detail.incidents) > 0:
        yield _block(_run(f"and {more} more incidents"))
    yield from (_answer(("Action", line), detail) for line in briefing.actions[: detail.incidents])
    yield from (_answer(answer, detail) for answer in briefing.closing)
    yield _answer(("Id", briefing.key), detail)
    evidence = [line for _, _, lines in shown for line in lines][: detail.evidence]
    for line in evidence:
        yield _block(_run(clipped(line, detail.characters), isSubtle=True, size="Small"))


def _answer(answer: Answer, detail: _Detail) -> dict[str, Any]:
    label, text = answer
    return _block(_run(f"{label}: ", weight="Bolder"), _run(clipped(text, detail.characters)))


def _block(*runs: dict[str, Any], **style: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _run(text: str, **style: Any) -> dict[str, Any]:
    # `{{DATE(…)}}` would be replaced by a date in the reader's zone
    return {"type": "TextRun", "text": text.replace("{{", "{ {"), **style}

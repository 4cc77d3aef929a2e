"""The receiver `slack`: a message in Block Kit, to an incoming webhook or, in a thread, by a bot's token; pure.

Limits of the API: a header 150 characters, a section 3,000, 50 blocks, one message a second and channel (429 with
Retry-After). Slack's markup begins at `<` (links, `<!channel>`, `<@user>`) and at `&`; both and `>` are replaced by
entities, and `verbatim` keeps it from linking what looks like a name. The Web API answers 200 where it refuses: see
`refusal`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from alerting.notifications.briefing import Answer, Briefing
from alerting.notifications.plain_text import ELLIPSIS, clipped, web_link, without_brackets
from alerting.receivers.request import HttpRequest, json_request

POST_URL = "https://slack.com/api/chat.postMessage"
HEADER_CHARACTERS = 150
SECTION_CHARACTERS = 3000
TEXT_CHARACTERS = 3000
INCIDENTS_SHOWN = 10
EVIDENCE_LINES = 5
LABEL_CHARACTERS = 200

# What another attempt may mend; every other refusal is final.
_PASSING = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackTarget:
    """A channel: by its incoming webhook's address, which is a secret, or by a bot's token and the channel's id.

    Attributes:
        thread: The first message of the incident (`message_reference` of its answer), for replies in its thread.
    """

    url: str = field(repr=False, default=POST_URL)
    token: str = field(repr=False, default="")
    channel: str = ""
    thread: str = ""


def trigger(briefing: Briefing, target: SlackTarget) -> HttpRequest:
    """Post the message."""
    return _post(briefing, target, thread="", broadcast=False)


def update(briefing: Briefing, target: SlackTarget) -> HttpRequest:
    """Reply in the incident's thread; what got worse is shown in the channel too."""
    return _post(briefing, target, thread=target.thread, broadcast=briefing.worsens)


def acknowledge(briefing: Briefing, target: SlackTarget) -> HttpRequest:
    """Reply in the incident's thread."""
    return _post(briefing, target, thread=target.thread, broadcast=False)


def end(briefing: Briefing, target: SlackTarget) -> HttpRequest:
    """Reply in the incident's thread, shown in the channel too."""
    return _post(briefing, target, thread=target.thread, broadcast=True)


def message_reference(answer: bytes) -> str:
    """Return the time stamp by which the Web API names what was posted; empty for a webhook, which answers `ok`."""
    content = _answer(answer)
    return str(content.get("ts", "")) if content.get("ok") else ""


def refusal(answer: bytes) -> tuple[str, bool] | None:
    """Return why the Web API refused in an answer of status 200, and whether to try again; None: it did not refuse."""
    content = _answer(answer)
    if content.get("ok", True):
        return None
    reason = str(content.get("error", "no reason given"))
    return reason, reason in _PASSING


def escaped(text: str) -> str:
    """Return *text* so that nothing in it is markup of Slack's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(briefing: Briefing, target: SlackTarget, *, thread: str, broadcast: bool) -> HttpRequest:
    content: dict[str, Any] = {
        "text": _clipped(f"{briefing.title}. {_first_words(briefing)}", TEXT_CHARACTERS),
        "blocks": list(_blocks(briefing)),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if not target.token:
        return json_request(target.url, content)
    content["channel"] = target.channel
    if thread:
        content |= {"thread_ts": thread, "reply_broadcast": broadcast}
    return json_request(target.url, content, headers={"authorization": f"Bearer {target.token}"})


def _first_words(briefing: Briefing) -> str:
    return briefing.first.next_step if briefing.first else briefing.sentence


def _blocks(briefing: Briefing) -> Iterator[dict[str, Any]]:
    title = without_brackets(clipped(briefing.title, HEADER_CHARACTERS))
    yield {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    shown = list(briefing.blocks)
    for heading, answers, _ in shown[:INCIDENTS_SHOWN]:
        lines = [f"*{escaped(heading)}*"] if heading else []
        yield _section([*lines, *(_answer_line(answer) for answer in answers)])
    if (more := len(shown) - INCIDENTS_SHOWN) > 0:
        yield _section([f"and {more} more incidents"])
    if briefing.actions:
        yield _section(["*Actions*", *(f"• {escaped(line)}" for line in briefing.actions)])
    yield _section([_answer_line(answer) for answer in briefing.closing])
    evidence = [line for _, _, lines in shown for line in lines][:EVIDENCE_LINES]
    if evidence:
        yield {"type": "context", "elements": [_text([f"• {escaped(line)}" for line in evidence])]}


def _section(lines: list[str]) -> dict[str, Any]:
    return {"type": "section", "text": _text(lines)}


def _text(lines: list[str]) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": _whole_lines(lines, SECTION_CHARACTERS), "verbatim": True}


def _answer_line(answer: Answer) -> str:
    label, text = answer
    link = web_link(text)
    shown = f"<{link.replace('&', '&amp;')}|{escaped(clipped(text, LABEL_CHARACTERS))}>" if link else escaped(text)
    return f"*{label}:* {shown}"


def _whole_lines(lines: list[str], characters: int) -> str:
    """Return as much as fits, line by line, so that no entity and no link is cut in two."""
    share = characters // max(len(lines), 1) - 1
    kept = [line if len(line) <= share else _clipped_markup(line, share) for line in lines]
    joined = "\n".join(lines)
    return joined if len(joined) <= characters else "\n".join(kept)


def _clipped_markup(line: str, characters: int) -> str:
    cut = line[: characters - 1]
    for begins, ends in (("<", ">"), ("&", ";")):
        if cut.rfind(begins) > cut.rfind(ends):
            cut = cut[: cut.rfind(begins)]
    return cut + ELLIPSIS


def _clipped(text: str, characters: int) -> str:
    return _clipped_markup(escaped(text), characters) if len(escaped(text)) > characters else escaped(text)


def _answer(answer: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}

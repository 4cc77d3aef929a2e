"""Servers that answer as each product's documentation says, check what it checks, and keep the state it would keep."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from alerting.receivers.request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request as the server saw it."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Product(Protocol):
    """Something that answers requests; a refused one raises `AssertionError`, which is its documented 400."""

    def answer(self, arrived: Arrived) -> Reply: ...


@dataclass(slots=True)
class PagerDuty:
    """Events API v2: 202 for an event it takes, 400 with reasons otherwise; alerts by dedup_key."""

    routing_key: str
    alerts: dict[str, str] = field(default_factory=dict)
    entries: list[Mapping[str, Any]] = field(default_factory=list)

    def answer(self, arrived: Arrived) -> Reply:
        event = arrived.content
        assert arrived.path == "/v2/enqueue"
        assert arrived.headers["content-type"] == "application/json"
        assert len(arrived.body) <= 512_000
        assert event["routing_key"] == self.routing_key
        assert 0 < len(event["dedup_key"]) <= 255
        key = event["dedup_key"]
        if event["event_action"] == "trigger":
            payload = event["payload"]
            assert 0 < len(payload["summary"]) <= 1024
            assert payload["severity"] in {"critical", "error", "warning", "info"}
            assert payload["source"]
            assert all(isinstance(text, str) for text in payload["custom_details"].values())
            assert all(link["href"].startswith(("http://", "https://")) for link in event["links"])
            if self.alerts.get(key) in (None, "resolved"):
                self.alerts[key] = "triggered"
        elif key in self.alerts and self.alerts[key] != "resolved":
            self.alerts[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[event["event_action"]]
        self.entries.append(event)
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})


@dataclass(slots=True)
class JsmOperations:
    """Integration events of JSM Operations: 202 with a request id, work later; alerts by alias."""

    api_key: str
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, arrived: Arrived) -> Reply:
        if arrived.headers.get("authorization") != f"GenieKey {self.api_key}":
            return Reply(403, {"message": "Key is not authorized"})
        content = arrived.content
        parts = arrived.path.removeprefix("/jsm/ops/integration/v2/alerts").strip("/").split("/")
        assert len(content.get("note", "")) <= 25_000
        if parts == [""]:
            self._create(content)
        else:
            alias, step = unquote(parts[0]), parts[1]
            assert arrived.query["identifierType"] == ["alias"]
            assert step in {"acknowledge", "close", "notes"}
            assert step != "notes" or content["note"]
            if (alert := self.alerts.get(alias)) and alert["status"] == "open":
                alert["notes"].append(content["note"])
                alert["acknowledged"] |= step == "acknowledge"
                alert["status"] = "closed" if step == "close" else "open"
        return Reply(202, {"result": "Request will be processed", "took": 0.1, "requestId": "43a29c5c"})

    def _create(self, content: Mapping[str, Any]) -> None:
        assert 0 < len(content["message"]) <= 130
        assert len(content["alias"]) <= 512
        assert len(content["description"]) <= 15_000
        assert len(content["entity"]) <= 512
        assert content["priority"] in {"P1", "P2", "P3", "P4", "P5"}
        assert len(content["tags"]) <= 20
        assert all(len(tag) <= 50 for tag in content["tags"])
        alert = self.alerts.get(content["alias"])
        if alert and alert["status"] == "open":
            alert["count"] += 1
            alert["notes"].append(content["note"])
            return
        fresh = {"status": "open", "acknowledged": False, "count": 1, "notes": [], "priority": content["priority"]}
        self.alerts[content["alias"]] = fresh


@dataclass(slots=True)
class Slack:
    """`chat.postMessage`: 200 also where it refuses; and an incoming webhook, which answers `ok` in plain text."""

    token: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, arrived: Arrived) -> Reply:
        content = arrived.content
        if arrived.path == "/services/T0/B0/secret":
            self._check(content)
            self.messages.append(content)
            return Reply(200, "ok")
        assert arrived.path == "/api/chat.postMessage"
        if arrived.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(200, {"ok": False, "error": "invalid_auth"})
        if content["channel"] != "C024BE91L":
            return Reply(200, {"ok": False, "error": "channel_not_found"})
        self._check(content)
        timestamp = f"1764210604.{len(self.messages):06d}"
        self.messages.append(content | {"ts": timestamp})
        return Reply(200, {"ok": True, "channel": content["channel"], "ts": timestamp})

    @staticmethod
    def _check(content: Mapping[str, Any]) -> None:
        assert 0 < len(content["text"]) <= 4000
        assert 0 < len(content["blocks"]) <= 50
        for block in content["blocks"]:
            texts = block["elements"] if block["type"] == "context" else [block["text"]]
            limit = 150 if block["type"] == "header" else 3000
            assert all(0 < len(text["text"]) <= limit for text in texts)


@dataclass(slots=True)
class Teams:
    """A workflow that posts the card it is sent: 202 with nothing, 413 above 28 KB."""

    cards: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, arrived: Arrived) -> Reply:
        if len(arrived.body) > 28 * 1024:
            return Reply(413, {"error": {"code": "RequestEntityTooLarge"}})
        content = arrived.content
        assert content["type"] == "message"
        (attachment,) = content["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        card = attachment["content"]
        assert card["type"] == "AdaptiveCard"
        assert all(block["type"] == "RichTextBlock" and block["inlines"] for block in card["body"])
        assert all(run["type"] == "TextRun" for block in card["body"] for run in block["inlines"])
        assert all(action["url"].startswith(("http://", "https://")) for action in card["actions"])
        self.cards.append(card)
        return Reply(202)


@contextmanager
def serving(product: Product) -> Iterator[str]:
    """Give the base URL of a running server that answers as *product* does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(product.answer))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def answered(product: Product, request: HttpRequest) -> Reply:
    """Return what *product* says to *request*, without a network."""
    return product.answer(_arrived(request.method, request.url, request.headers, request.body))


def _arrived(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Arrived:
    parts = urlsplit(target)
    lower = {name.lower(): value for name, value in headers.items()}
    return Arrived(method=method, path=parts.path, query=parse_qs(parts.query), headers=lower, body=body)


def _handler(answer: Callable[[Arrived], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                reply = answer(_arrived("POST", self.path, dict(self.headers.items()), body))
            except AssertionError as error:
                reply = Reply(400, {"status": "invalid event", "errors": [str(error)]})
            text = isinstance(reply.content, str)
            content = reply.content.encode() if text else msgspec.json.encode(reply.content)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Keep the terminal quiet."""

    return Handler

"""Records that are refused before anything is parsed, and the dead letters of all that are refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.decode.decoded import Refusal
from consumers.records import Headers, Record, RecordBatch
from monitor.store.dead_letters import DeadLetter
from monitor.types import DeadLetterReason, PartitionKey

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """What is to be decoded: one body per record (empty where refused), and the namespaces that headers name.

    *size*: bytes of the bodies that the batch holds until it is flushed; those too large are not among them.
    """

    contents: list[bytes]
    size: int
    namespaces: list[str] | None
    refused: dict[int, Refusal]


def bodies_of(batch: RecordBatch, *, max_message_bytes: int) -> Bodies:
    """Return the batch's bodies; records too large or of another content type are refused unread."""
    contents = [each.value() or b"" for each in batch.records]
    refused: dict[int, Refusal] = {}
    size = sum(map(len, contents))
    if size > max_message_bytes and max(map(len, contents)) > max_message_bytes:
        for index, content in enumerate(contents):
            if len(content) > max_message_bytes:
                sentence = f"body: expected at most {max_message_bytes} bytes, found {len(content)}"
                refused[index] = Refusal(index=index, reason=DeadLetterReason.TOO_LARGE, sentence=sentence)
                contents[index] = b""
                size -= len(content)
    headers = [each.headers() for each in batch.records]
    namespaces = _namespaces(headers, contents, refused) if any(headers) else None
    return Bodies(contents=contents, size=size, namespaces=namespaces, refused=refused)


def _namespaces(
    headers: Sequence[Headers | None], contents: list[bytes], refused: dict[int, Refusal]
) -> list[str] | None:
    namespaces = [""] * len(headers)
    for index, of_record in enumerate(headers):
        for name, value in of_record or ():
            lowered = name.lower()
            if lowered == "namespace" and value:
                namespaces[index] = value.decode(errors="replace")
            elif lowered == "content-type" and index not in refused:
                found = (value or b"").decode(errors="replace")
                if found.partition(";")[0].strip().lower() not in ("", JSON_TYPE):
                    sentence = f"header content-type: expected none or {JSON_TYPE}, found {found[:80]!r}"
                    refused[index] = Refusal(index=index, reason=DeadLetterReason.UNSUPPORTED, sentence=sentence)
                    contents[index] = b""
    return namespaces if any(namespaces) else None


def dead_letter(record: Record, refusal: Refusal, *, keep_bytes: int) -> DeadLetter:
    """Return the dead letter of a refused *record*, its body cut to *keep_bytes*, none of it when too large."""
    body = record.value()
    kept = None if body is None or refusal.reason is DeadLetterReason.TOO_LARGE else body[:keep_bytes]
    return DeadLetter(
        source=PartitionKey(record.topic(), record.partition()),
        offset=record.offset(),
        key=None if record.key() is None else (record.key() or b"")[:keep_bytes],
        value=kept,
        headers=tuple(
            (name, None if value is None else value[:keep_bytes].decode("latin-1"))
            for name, value in record.headers() or ()
        ),
        size=len(body or b""),
        truncated=kept is not None and len(kept) < len(body or b""),
        reason=refusal.reason,
        sentence=refusal.sentence,
        model=refusal.model,
    )

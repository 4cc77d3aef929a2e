"""Dead letters: refused records, counted all of them and kept within an hourly quota so that no disk fills."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from consumers.decode.columns import RecordRefusal
from consumers.decoded_batch import DecodedBatch
from consumers.pending_counts import PendingCounts, RefusedTally
from consumers.records import Headers, Record, RecordBatch
from monitor.clock import now_millis
from monitor.settings import Settings, UnknownModel
from monitor.store.dead_letters import DeadLetter
from monitor.store.refused_counts import NAMES_LISTED, NO_NAME, OTHER_NAMES, KeptBytes, RefusedKey
from monitor.types import DeadLetterReason, ModelKey, PartitionKey
from monitor.units import HOUR_MILLIS

JSON_TYPE = "application/json"

ROW_BYTES = 300  # of a dead letter without key, body and headers: a flood of short records must not be cheap
TO_COME_BACK = frozenset({DeadLetterReason.PARKED, DeadLetterReason.MODEL_STOPPED, DeadLetterReason.SPEC_UNREADABLE})
"""Well-formed as far as we know: they are to be counted once somebody has decided, so more of them is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBodies:
    """What is to be decoded: one body per record (empty where refused), and the namespaces that headers name.

    *size*: bytes of the bodies that the batch holds until it is flushed; those too large are not among them.
    """

    contents: list[bytes]
    size: int
    namespaces: list[str] | None
    refused: dict[int, RecordRefusal]


def message_bodies(batch: RecordBatch, *, max_message_bytes: int) -> MessageBodies:
    """Return the batch's bodies; records too large or of another content type are refused unread."""
    contents = [record.value() or b"" for record in batch.records]
    refused: dict[int, RecordRefusal] = {}
    size = sum(map(len, contents))
    if size > max_message_bytes and max(map(len, contents)) > max_message_bytes:
        for index, content in enumerate(contents):
            if len(content) > max_message_bytes:
                sentence = f"body: expected at most {max_message_bytes} bytes, found {len(content)}"
                refused[index] = RecordRefusal(reason=DeadLetterReason.TOO_LARGE, sentence=sentence)
                contents[index] = b""
                size -= len(content)
    headers = [record.headers() for record in batch.records]
    namespaces = _namespaces(headers, contents, refused) if any(headers) else None
    return MessageBodies(contents=contents, size=size, namespaces=namespaces, refused=refused)


def _namespaces(
    headers: Sequence[Headers | None], contents: list[bytes], refused: dict[int, RecordRefusal]
) -> list[str] | None:
    namespaces = [""] * len(headers)
    for index, of_record in enumerate(headers):
        for name, value in of_record or ():
            lowered = name.lower()
            if lowered == "namespace" and value:
                namespaces[index] = value.decode(errors="replace")
            elif lowered == "content-type" and index not in refused:
                content_type = (value or b"").decode(errors="replace")
                if content_type.partition(";")[0].strip().lower() not in ("", JSON_TYPE):
                    sentence = f"header content-type: expected none or {JSON_TYPE}, found {content_type[:80]!r}"
                    refused[index] = RecordRefusal(reason=DeadLetterReason.UNSUPPORTED, sentence=sentence)
                    contents[index] = b""
    return namespaces if any(namespaces) else None


def dead_letter(record: Record, refusal: RecordRefusal, *, keep_bytes: int) -> DeadLetter:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQuota:
    """Bytes of dead letters kept per hour: of one reason and model, of one whose records are to come back, of all."""

    of_reason: int
    to_come_back: int
    total: int

    def of(self, reason: DeadLetterReason) -> int:
        return self.to_come_back if reason in TO_COME_BACK else self.of_reason


class DeadLetterCollector:
    """Collects refused records as dead letters while the hour's quota lasts; counts all of them, by bounded names."""

    def __init__(self, settings: Settings, *, clock_millis: Callable[[], int] = now_millis) -> None:
        self._policy = settings.unknown_model
        self._keep_bytes = settings.dead_letter_bytes
        self._room = DeadLetterQuota(
            of_reason=settings.dead_letter_bytes_per_hour,
            to_come_back=settings.parked_bytes_per_hour,
            total=settings.dead_letter_total_bytes_per_hour,
        )
        self._clock = clock_millis
        self._hour = -1
        self._kept: dict[RefusedKey, int] = {}
        self._total = 0
        self._names: set[ModelKey] = set()

    def set_listed_names(self, names: Iterable[ModelKey]) -> None:
        """Set the names of models that were never applied and are listed already."""
        self._names = set(names)

    def collect(self, decoded: DecodedBatch, pending: PendingCounts) -> None:
        """Put the refused records of *decoded* into *pending*."""
        if not decoded.refused:
            return
        hour = self._clock() // HOUR_MILLIS
        if hour != self._hour:  # the database's own hour is what counts: it says so with the next flush
            self._hour, self._total = hour, 0
            self._kept.clear()
        records = decoded.batch.records
        for row in sorted(decoded.refused):
            refusal = self._by_policy(decoded.refused[row])
            record = records[row]
            key = (refusal.reason, self._label(refusal, pending.discovered))
            tally = pending.refused.get(key)
            if tally is None:
                tally = pending.refused[key] = RefusedTally()
            tally.records += 1
            tally.bytes += len(record.value() or b"")
            if self._has_room(key, tally, pending):
                letter = dead_letter(record, refusal, keep_bytes=self._keep_bytes)
                size = _kept_bytes(letter)
                tally.kept += 1
                tally.kept_bytes += size
                pending.kept_bytes += size
                pending.dead_letters.append(letter)

    def flushed(self, kept: KeptBytes) -> None:
        """A flush was committed, and this is what the hour keeps now, of all workers."""
        self._kept |= kept.by_key
        self._total = max(self._total, kept.total)

    def _has_room(self, key: RefusedKey, tally: RefusedTally, pending: PendingCounts) -> bool:
        reason = key[0]
        if reason is DeadLetterReason.UNKNOWN_MODEL and self._policy is UnknownModel.DISCOVER:
            return False
        if self._total + pending.kept_bytes >= self._room.total:
            return False
        return self._kept.get(key, 0) + tally.kept_bytes < self._room.of(reason)

    def _by_policy(self, refusal: RecordRefusal) -> RecordRefusal:
        if refusal.reason is DeadLetterReason.UNKNOWN_MODEL and self._policy is UnknownModel.PARK:
            sentence = f"{refusal.sentence}; it is counted once the model is applied"
            return replace(refusal, reason=DeadLetterReason.PARKED, sentence=sentence)
        return refusal

    def _label(self, refusal: RecordRefusal, discovered: "Counter[ModelKey]") -> ModelKey:
        """Return under which of a bounded number of names a refusal is counted."""
        key = refusal.model
        if key is None:
            return NO_NAME
        if refusal.reason not in (DeadLetterReason.UNKNOWN_MODEL, DeadLetterReason.PARKED):
            return key  # an applied model
        if key not in self._names:
            if len(self._names) < NAMES_LISTED:
                self._names.add(key)
            else:
                key = OTHER_NAMES
        discovered[key] += 1
        return key


def _kept_bytes(letter: DeadLetter) -> int:
    headers = sum(len(name) + len(value or "") for name, value in letter.headers)
    return ROW_BYTES + len(letter.value or b"") + len(letter.key or b"") + headers

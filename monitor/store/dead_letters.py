"""Dead letters: what was refused, with its bytes, its place and the sentence that says why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from monitor.store.retention import ROWS_AT_ONCE
from monitor.store.schema import dead_letter, model
from monitor.types import DEFAULT_NAMESPACE, DeadLetterReason, ModelKey, PartitionKey

Headers = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One refused record.

    Attributes:
        value: The body, cut to the setting's length (*truncated*); None when the record was empty or too large.
        headers: Names and values; bytes as Latin-1 text, which keeps them exactly.
        size: Length of the whole body in bytes.
        model: Whose record it is, as far as it says.
    """

    source: PartitionKey
    offset: int
    row: int = 0
    key: bytes | None
    value: bytes | None
    headers: Headers
    size: int
    truncated: bool
    reason: DeadLetterReason
    sentence: str
    model: ModelKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDeadLetter:
    """A dead letter with its id and its wall-clock times (ISO)."""

    id: int
    letter: DeadLetter
    recorded_at: str
    replayed_at: str | None


LETTERS_AT_ONCE, BYTES_AT_ONCE = 2000, 8 << 20

# One document carries many letters: a driver that writes arrays or rows one by one takes ten times as long.
_APPEND = sa.text(
    """
    INSERT INTO dead_letter (topic, incarnation, partition, "offset", row, key, value, headers, size, truncated,
        reason, sentence, namespace, model)
    SELECT topic, incarnation, partition, "offset", row, decode(key, 'base64'), decode(value, 'base64'), headers,
        size, truncated, reason, sentence, namespace, model
    FROM json_to_recordset(CAST(:letters AS json)) AS letter (topic text, incarnation integer, partition integer,
        "offset" bigint, row integer, key text, value text, headers jsonb, size integer, truncated boolean, reason text,
        sentence text, namespace text, model text)
    ON CONFLICT DO NOTHING
    """
)


def append_dead_letters(
    connection: sa.Connection, letters: Sequence[DeadLetter], incarnations: Mapping[PartitionKey, int]
) -> None:
    """Append *letters*; a record that is there already, of the same incarnation of its topic, stays as it is."""
    for part in _parts(letters):
        encoded = msgspec.json.encode(
            [_document(letter, incarnations.get(letter.source, 0)) for letter in part]
        )  # bytes are written as base64
        connection.execute(_APPEND, {"letters": encoded.decode()})


def _parts(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    part: list[DeadLetter] = []
    size = 0
    for letter in letters:
        part.append(letter)
        size += len(letter.value or b"")
        if len(part) >= LETTERS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _document(letter: DeadLetter, incarnation: int) -> dict[str, object]:
    return {
        "topic": letter.source.topic,
        "incarnation": incarnation,
        "partition": letter.source.partition,
        "offset": letter.offset,
        "row": letter.row,
        "key": letter.key,
        "value": letter.value,
        "headers": [(_storable(name), None if value is None else _storable(value)) for name, value in letter.headers],
        "size": letter.size,
        "truncated": letter.truncated,
        "reason": letter.reason.value,
        "sentence": letter.sentence.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode(),
        "namespace": None if letter.model is None else letter.model.namespace,
        "model": None if letter.model is None else letter.model.name,
    }


def _storable(text: str) -> str:
    # jsonb holds no NUL; U+2400 is no Latin-1 character, so the way back is exact for values
    return text.replace("\x00", "\u2400")


def _restored(text: str) -> str:
    return text.replace("\u2400", "\x00")


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters: of a topic, with a reason, that name a model (as `ModelKey` is written); None: any."""

    topic: str | None = None
    reason: DeadLetterReason | None = None
    model: str | None = None


def list_dead_letters(
    connection: sa.Connection, chosen: DeadLetterFilter = DeadLetterFilter(), *, limit: int = 100
) -> tuple[StoredDeadLetter, ...]:
    """Return the newest dead letters first."""
    wanted = sa.select(dead_letter).where(*_of(chosen)).order_by(dead_letter.c.id.desc()).limit(limit)
    return tuple(_stored(row) for row in connection.execute(wanted))


def dead_letters_to_replay(
    connection: sa.Connection, chosen: DeadLetterFilter = DeadLetterFilter(), *, limit: int = 1000
) -> tuple[StoredDeadLetter, ...]:
    """Return, in the order they came, dead letters with their whole body that were not replayed yet."""
    wanted = (
        sa.select(dead_letter)
        .where(dead_letter.c.replayed_at.is_(None), dead_letter.c.value.is_not(None), sa.not_(dead_letter.c.truncated))
        .where(*_of(chosen))
        .order_by(dead_letter.c.id)
        .limit(limit)
    )
    return tuple(_stored(row) for row in connection.execute(wanted))


def parked_letters(
    connection: sa.Connection, model_ids: Sequence[int], *, topics: Sequence[str], limit: int
) -> tuple[StoredDeadLetter, ...]:
    """Return, in the order they came and locked, whole letters of *topics* that waited for one of these models.

    The caller sends them and marks them in the same transaction.
    """
    wanted = (
        sa.select(dead_letter)
        .join(model, sa.and_(model.c.namespace == dead_letter.c.namespace, model.c.name == dead_letter.c.model))
        .where(
            # Text as the index has it: a parameter would not prove to the planner that the index holds the row.
            sa.text(
                f"dead_letter.replayed_at IS NULL AND dead_letter.reason IN ('{DeadLetterReason.PARKED}',"
                f" '{DeadLetterReason.SPEC_UNREADABLE}')"
            ),
            model.c.id == sa.func.any(sa.cast(list(model_ids), ARRAY(sa.Integer))),
            dead_letter.c.topic == sa.func.any(sa.cast(list(topics), ARRAY(sa.Text))),
            dead_letter.c.value.is_not(None),
            sa.not_(dead_letter.c.truncated),
        )
        .order_by(dead_letter.c.id)
        .limit(limit)
        .with_for_update(of=dead_letter, skip_locked=True)
    )
    return tuple(_stored(row) for row in connection.execute(wanted))


_DROP = sa.text(
    "DELETE FROM dead_letter WHERE id = ANY(ARRAY("
    "SELECT id FROM dead_letter WHERE recorded_at < now() - make_interval(days => :days)"
    " ORDER BY recorded_at LIMIT :limit))"
)


def drop_old_letters(connection: sa.Connection, *, days: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete at most *limit* of the oldest letters, those recorded *days* ago; return how many."""
    return connection.execute(_DROP, {"days": days, "limit": limit}).rowcount


def mark_replayed(connection: sa.Connection, ids: Sequence[int]) -> int:
    """Write that these dead letters were produced again; return how many there were."""
    done = connection.execute(
        sa.update(dead_letter).where(dead_letter.c.id.in_(ids)).values(replayed_at=sa.func.clock_timestamp())
    )
    return done.rowcount


def _of(chosen: DeadLetterFilter) -> Iterator[sa.ColumnElement[bool]]:
    if chosen.topic is not None:
        yield dead_letter.c.topic == chosen.topic
    if chosen.reason is not None:
        yield dead_letter.c.reason == chosen.reason.value
    if chosen.model is not None:
        plain = sa.and_(dead_letter.c.namespace == DEFAULT_NAMESPACE, dead_letter.c.model == chosen.model)
        yield sa.or_(plain, sa.func.concat(dead_letter.c.namespace, "/", dead_letter.c.model) == chosen.model)


def _stored(row: sa.Row) -> StoredDeadLetter:  # type: ignore[type-arg]  # a row of every column
    headers = tuple((_restored(name), None if value is None else _restored(value)) for name, value in row.headers)
    letter = DeadLetter(
        source=PartitionKey(row.topic, row.partition),
        offset=row.offset,
        row=row.row,
        key=row.key,
        value=row.value,
        headers=headers,
        size=row.size,
        truncated=row.truncated,
        reason=DeadLetterReason(row.reason),
        sentence=row.sentence,
        model=None if row.model is None else ModelKey(row.namespace, row.model),
    )
    replayed = None if row.replayed_at is None else row.replayed_at.isoformat()
    return StoredDeadLetter(id=row.id, letter=letter, recorded_at=row.recorded_at.isoformat(), replayed_at=replayed)

"""Dead letters: what was refused, with its bytes, its place and the sentence that says why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.model_names import DEFAULT_NAMESPACE
from monitor.store.schema import dead_letter
from monitor.types import DeadLetterReason, ModelKey, PartitionKey

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


def append_dead_letters(
    connection: sa.Connection, letters: Sequence[DeadLetter], incarnations: Mapping[PartitionKey, int]
) -> None:
    """Append *letters*; a record that is there already, of the same incarnation of its topic, stays as it is."""
    if letters:
        connection.execute(
            insert(dead_letter).on_conflict_do_nothing(),
            [
                {
                    "topic": each.source.topic,
                    "incarnation": incarnations.get(each.source, 0),
                    "partition": each.source.partition,
                    "offset": each.offset,
                    "row": each.row,
                    "key": each.key,
                    "value": each.value,
                    "headers": [[name, _storable(value)] for name, value in each.headers],
                    "size": each.size,
                    "truncated": each.truncated,
                    "reason": each.reason.value,
                    "sentence": each.sentence.replace("\x00", "\\x00"),
                    "namespace": None if each.model is None else each.model.namespace,
                    "model": None if each.model is None else each.model.name,
                }
                for each in letters
            ],
        )


def _storable(value: str | None) -> str | None:
    # jsonb holds no NUL; U+2400 is no Latin-1 character, so the way back is exact
    return None if value is None else value.replace("\x00", "\u2400")


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
    return tuple(_stored(each) for each in connection.execute(wanted))


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
    return tuple(_stored(each) for each in connection.execute(wanted))


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
    headers = tuple((name, None if value is None else value.replace("\u2400", "\x00")) for name, value in row.headers)
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

"""Refused records: all of them counted, the kept ones as they were sent, and none left out while there was room."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
import xxhash

from monitor.settings import Settings
from monitor.store.schema import dead_letter, dead_letter_count
from tests.oracle.panes import read_partition
from tests.oracle.truths import Place
from tests.soak.compare import Compared, compare_counts, compare_rows

TO_COME_BACK = frozenset({"parked", "model_stopped", "spec_unreadable"})
Content = tuple[str, int, str | None]
"""Why it was refused, how long its body is, and the hash of what was kept of that; None: nothing is kept of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOf:
    """What the database counted for one reason and model, over all hours.

    Attributes:
        fullest: Bytes kept in the hour that has most of them; beyond the room for an hour records are only counted.
    """

    reason: str
    records: int
    kept: int
    fullest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRefusals:
    """Refused records as the database has them."""

    counts: tuple[RefusedOf, ...]
    letters: Mapping[Place, Content]


def stored_refusals(engine: sa.Engine) -> StoredRefusals:
    """Return what *engine*'s database counted and kept."""
    counted = dead_letter_count.c
    sums = sa.select(
        counted.reason,
        sa.func.sum(counted.records).label("records"),
        sa.func.sum(counted.kept).label("kept"),
        sa.func.max(counted.kept_bytes).label("fullest"),
    ).group_by(counted.reason, counted.namespace, counted.model)
    with engine.connect() as connection:
        counts = tuple(
            RefusedOf(reason=row.reason, records=int(row.records), kept=int(row.kept), fullest=int(row.fullest))
            for row in connection.execute(sums)
        )
        letters = {
            (row.topic, row.partition, row.offset): (row.reason, row.size, _hash(row.value))
            for row in connection.execute(sa.select(dead_letter))
        }
    return StoredRefusals(counts=counts, letters=letters)


def sent_contents(
    bootstrap: str, refused: Mapping[Place, str], places: Collection[Place], *, keep_bytes: int
) -> dict[Place, Content]:
    """Return what must be kept of the *refused* records at *places*, from the topics; the others are left out."""
    wanted = set(places) & refused.keys()
    contents: dict[Place, Content] = {}
    for topic, partition in sorted({(topic, partition) for topic, partition, _ in wanted}):
        for message in read_partition(bootstrap, topic, partition):
            place = (topic, partition, int(message.offset() or 0))
            if place in wanted:
                reason, body = refused[place], message.value()
                kept = None if reason == "too_large" or body is None else body[:keep_bytes]
                contents[place] = (reason, len(body or b""), _hash(kept))
    return contents


def compare_refusals(
    refused: Mapping[Place, str], sent: Mapping[Place, Content], stored: StoredRefusals, settings: Settings
) -> list[Compared]:
    """Compare the recount's *refused* records (by place, why) and their *sent* contents with what is *stored*.

    Each is counted; which of them are kept is up to which came first, so those that are kept decide what is compared.
    """
    with_room = _with_room(stored.counts, settings)
    return [
        compare_counts("records refused", Counter(refused.values()), _by_reason(stored.counts, "records")),
        compare_rows("dead letters kept, as they were sent", sent, stored.letters),
        compare_counts(
            "dead letters kept, by their counters",
            _by_reason(stored.counts, "kept"),
            Counter(content[0] for content in stored.letters.values()),
        ),
        compare_counts(
            "records refused while there was room", _by_reason(with_room, "records"), _by_reason(with_room, "kept")
        ),
    ]


def _by_reason(counts: Collection[RefusedOf], name: str) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for count in counts:
        summed[count.reason] += getattr(count, name)
    return dict(summed)


def _with_room(counts: Collection[RefusedOf], settings: Settings) -> list[RefusedOf]:
    """Return those of which nothing may have been left out: no hour of theirs was full, nor any hour of all."""
    if sum(count.fullest for count in counts) >= settings.dead_letter_total_bytes_per_hour:
        return []
    share, parked = settings.dead_letter_bytes_per_hour, settings.parked_bytes_per_hour
    return [count for count in counts if count.fullest < (parked if count.reason in TO_COME_BACK else share)]


def _hash(body: bytes | None) -> str | None:
    return None if body is None else xxhash.xxh3_128_hexdigest(body)

"""Dead letters and their counts in the database: exact, bounded, and dropped after their retention."""

import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.store.dead_letters import (
    LETTERS_AT_ONCE,
    DeadLetter,
    DeadLetterFilter,
    append_dead_letters,
    drop_old_letters,
    list_dead_letters,
)
from monitor.store.refused_counts import (
    NAMES_LISTED,
    NO_NAME,
    KeptBytes,
    RefusedCount,
    add_discovered,
    add_refused,
    discovered_models,
    drop_old_counts,
    refused_totals,
)
from monitor.store.schema import dead_letter, dead_letter_count, discovered_model
from monitor.types import DeadLetterReason, ModelKey, PartitionKey
from tests.models.credit import apply_model

FRAUD = ModelKey("risk/eu", "fraud")


def letter(offset: int, **changes: object) -> DeadLetter:
    values: dict[str, object] = {
        "source": PartitionKey("predictions", 0),
        "offset": offset,
        "key": b"k\x00\xff",
        "value": b"\x00{\xff\\x'",
        "headers": (("content-type", "caf\u00e9\x00\u00ff"), ("no\x00ne", None)),
        "size": 7,
        "truncated": False,
        "reason": DeadLetterReason.MALFORMED,
        "sentence": "body: expected 'x', found \"\\\x00\ud800",
        "model": FRAUD,
    }
    return DeadLetter(**{**values, **changes})  # type: ignore[arg-type]  # as the fields are


def test_letters_come_back_as_they_were_in_any_number(engine: Engine) -> None:
    """More than one statement's, with bytes and texts that arrays must not bend; a record that is there stays."""
    letters = [letter(number) for number in range(LETTERS_AT_ONCE + 3)]
    letters[1] = letter(1, key=None, value=None, headers=(), model=None, sentence="body")
    with engine.begin() as connection:
        append_dead_letters(connection, letters, {})
        append_dead_letters(connection, [letter(0, reason=DeadLetterReason.FUTURE)], {})
        dead_letters = list_dead_letters(connection, limit=len(letters) + 10)
        of_fraud = list_dead_letters(connection, DeadLetterFilter(model="risk/eu/fraud"), limit=len(letters))
    stored = [listed.letter for listed in reversed(dead_letters)]
    assert stored[1] == letters[1]
    assert stored[0] == letter(0, sentence="body: expected 'x', found \"\\\\x00\\ud800")
    assert len(stored) == len(letters)
    assert len(of_fraud) == len(letters) - 1


def count(
    records: int, model: ModelKey = NO_NAME, reason: DeadLetterReason = DeadLetterReason.MALFORMED
) -> RefusedCount:
    return RefusedCount(
        reason=DeadLetterReason(reason), model=model, records=records, bytes=10 * records, kept=1, kept_bytes=10
    )


def test_counts_of_an_hour_add_up_over_workers(engine: Engine) -> None:
    """Each flush reads how much of the hour's room all workers have used; totals have refused and kept."""
    with engine.begin() as connection:
        assert add_refused(connection, ()) == KeptBytes()
        first = add_refused(connection, [count(5), count(7, FRAUD)])
    with engine.begin() as connection:
        second = add_refused(connection, [count(3, FRAUD), count(2, reason=DeadLetterReason.FUTURE)])
        totals = {total.reason.value: (total.refused, total.kept) for total in refused_totals(connection)}
    assert first.total == 20
    assert second == KeptBytes(
        total=40, by_key={(DeadLetterReason.MALFORMED, FRAUD): 20, (DeadLetterReason.FUTURE, NO_NAME): 10}
    )
    assert totals == {"malformed": (15, 3), "future": (2, 1)}


def test_names_of_models_that_nobody_applied_are_bounded(engine: Engine) -> None:
    """A hundred at most, whatever comes; the rest is `other`; an applied one is no longer listed."""
    first = {ModelKey("default", f"m{number:03d}"): number + 1 for number in range(NAMES_LISTED - 1)}
    with engine.begin() as connection:
        add_discovered(connection, first)
        add_discovered(connection, {ModelKey("default", f"x{number}"): 1 for number in range(5000)})
        add_discovered(connection, {ModelKey("default", "m000"): 10, ModelKey("default", "y"): 4})
        result = {(known.model.namespace, known.model.name): known.records for known in discovered_models(connection)}
    assert len(result) == NAMES_LISTED + 1
    assert result["default", "m000"] == 11
    assert result["", "other"] == 5000 - 1 + 4
    assert sum(result.values()) == sum(first.values()) + 5000 + 14
    apply_model(engine, model="m000")
    with engine.begin() as connection:
        assert ("default", "m000") not in {(k.model.namespace, k.model.name) for k in discovered_models(connection)}


def test_letters_and_counts_past_their_retention_are_dropped(engine: Engine) -> None:
    """In pieces, the oldest first; what is younger stays."""
    with engine.begin() as connection:
        append_dead_letters(connection, [letter(number) for number in range(10)], {})
        add_refused(connection, [count(5)])
        add_discovered(connection, {FRAUD: 5})
        before = sa.text("clock_timestamp() - interval '15 days'")
        connection.execute(sa.update(dead_letter).values(recorded_at=before))
        connection.execute(sa.update(dead_letter_count).values(hour=before))
        connection.execute(sa.update(discovered_model).values(last_seen_at=before))
        append_dead_letters(connection, [letter(100)], {})
        add_refused(connection, [count(1, FRAUD)])
        assert [drop_old_letters(connection, days=14, limit=6) for _ in range(3)] == [6, 4, 0]
        assert drop_old_counts(connection, days=14) == 2
        assert [stored.letter.offset for stored in list_dead_letters(connection)] == [100]
        assert [total.refused for total in refused_totals(connection)] == [1]

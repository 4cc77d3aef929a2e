"""`driftline dead-letters`: what was refused and why, and sending it again."""

from datetime import datetime
from typing import Annotated

import typer

from consumers.kafka.admin import unavailable
from consumers.kafka.producer import TopicProducer
from consumers.resending import send_letters
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import Limit, opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.clock import to_millis
from monitor.humanize import moment
from monitor.settings import Settings, load_settings
from monitor.store.dead_letters import (
    DeadLetterFilter,
    StoredDeadLetter,
    dead_letters_to_replay,
    list_dead_letters,
    mark_replayed,
)
from monitor.store.refused_counts import RefusedTotal, refused_totals
from monitor.types import DeadLetterReason

app = typer.Typer(no_args_is_help=True, help="Show records that were refused, or send them again.")

Topic = Annotated[str | None, typer.Option(help="Only those of this topic.")]
Reason = Annotated[DeadLetterReason | None, typer.Option(help="Only those with this reason.")]
Model = Annotated[str | None, typer.Option(help="Only those that name this model (NAME, or NAMESPACE/NAME).")]
_SEND_SECONDS = 30.0


@app.command("list")
def show(
    topic: Topic = None,
    reason: Reason = None,
    model: Model = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List refused records: where each lies, why, and whether it was sent again."""
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        letters = list_dead_letters(connection, DeadLetterFilter(topic, reason, model), limit=limit)
        totals = refused_totals(connection)
    if as_json:
        print_json({"dead_letters": [_document(value) for value in letters], "refused": totals})
        return
    print_table(
        "Dead letters",
        ("id", "record", "model", "reason", "bytes", "sent again (UTC)"),
        [
            (value.id, _place(value), value.letter.model, value.letter.reason, value.letter.size, _sent_again(value))
            for value in letters
        ],
        notes=[value.letter.sentence for value in letters],
        empty="none",
    )
    if totals:
        print_line(f"Refused so far: {refused_text(totals)}.")


def refused_text(totals: tuple[RefusedTotal, ...]) -> str:
    """Return for each reason how many records were refused, and how many of them are kept where that is fewer."""
    return ", ".join(
        f"{total.refused:,} {total.reason}" + (f" ({total.kept:,} kept)" if total.kept < total.refused else "")
        for total in totals
    )


@app.command()
def replay(
    topic: Topic = None,
    reason: Reason = None,
    model: Model = None,
    every: Annotated[bool, typer.Option("--all", help="Every one that was not sent again yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Send refused records again, as new records with the same bytes, key and headers.

    Useful once the cause is removed: a model that was unknown is applied now. Records whose bytes were not kept whole
    stay where they are.
    """
    chosen = DeadLetterFilter(topic, reason, model)
    if chosen == DeadLetterFilter() and not every:
        raise WrongUseError("expected --reason, --topic, --model or --all, found none of them")
    settings = load_settings()
    with opened_database(settings) as engine:
        with engine.connect() as connection:
            letters = dead_letters_to_replay(connection, chosen, limit=limit)
        _send(settings, letters)
        with engine.begin() as connection:
            mark_replayed(connection, [letter.id for letter in letters])
    if as_json:
        print_json({"sent": [letter.id for letter in letters]})
    else:
        print_line(f"Sent {len(letters):,} again.")


def _send(settings: Settings, letters: tuple[StoredDeadLetter, ...]) -> None:
    producer = TopicProducer(settings)
    untaken = send_letters(producer, letters, timeout_seconds=_SEND_SECONDS)
    if untaken:
        cause = f"{untaken} were not taken"
        raise unavailable(settings, "sending dead letters again", cause, producer.complaints())


def _place(stored: StoredDeadLetter) -> str:
    letter = stored.letter
    row = f" row {letter.row}" if letter.row else ""
    return f"{letter.source}@{letter.offset}{row}"


def _sent_again(stored: StoredDeadLetter) -> str | None:
    return None if stored.replayed_at is None else moment(to_millis(datetime.fromisoformat(stored.replayed_at)))


def _document(stored: StoredDeadLetter) -> dict[str, object]:
    letter = stored.letter
    return {
        "id": stored.id,
        "topic": letter.source.topic,
        "partition": letter.source.partition,
        "offset": letter.offset,
        "row": letter.row,
        "model": None if letter.model is None else str(letter.model),
        "reason": letter.reason.value,
        "sentence": letter.sentence,
        "size": letter.size,
        "truncated": letter.truncated,
        "recorded_at": stored.recorded_at,
        "replayed_at": stored.replayed_at,
    }

"""`driftline partitions rewind`: undo what a clock that was ahead did, shown first, done with --apply."""

from typing import Annotated

import sqlalchemy as sa
import typer

from alerting.incidents.rewind import rewound
from alerting.incidents.state import decode_state, encode_state
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import moment_option, opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.errors import UnavailableError
from monitor.humanize import moment, span_text
from monitor.settings import load_settings
from monitor.store.configuration import model_named, model_names
from monitor.store.database_clock import database_now_millis
from monitor.store.incidents import lock_model
from monitor.store.offsets import list_offsets
from monitor.store.rewind import ModelRewind, model_rewind, rewind_model, rewind_partition, supported_event_time
from monitor.types import PartitionKey

APPLY_HINT = "Nothing is changed yet: the same with --apply does it."


def rewind(
    topic: Annotated[str | None, typer.Argument(help="The topic of the partition.", show_default=False)] = None,
    partition: Annotated[int | None, typer.Argument(min=0, help="Its number.", show_default=False)] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Instead of a partition: a model whose progress went ahead; NAME or NAMESPACE/NAME."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="A time like 2026-06-01T00:00:00Z. By default, of a partition its newest event in the ledger that is"
            " not beyond the database's clock; of a model, and where the ledger has none, that clock."
        ),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, show what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set back a partition's newest event time, or how far a model's windows are evaluated, after a clock was ahead.

    Events of the partition are no longer late because of it; windows of the model after the time are evaluated, and
    drive incidents, again.
    """
    asked = moment_option("--to", to)
    if (model is None) == (topic is None or partition is None):
        raise WrongUseError("expected TOPIC and PARTITION, or --model NAME; found neither or both")
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        clock = database_now_millis(connection)
        if asked is not None and asked > clock:
            raise WrongUseError(f"--to: expected a time up to now by the database, {moment(clock)}, found {to}")
        if model is not None:
            _rewind_model(connection, model, to=clock if asked is None else asked, apply=apply, as_json=as_json)
        elif topic is not None and partition is not None:
            _rewind_partition(
                connection, PartitionKey(topic, partition), clock=clock, asked=asked, apply=apply, as_json=as_json
            )


def _rewind_partition(
    connection: sa.Connection, key: PartitionKey, *, clock: int, asked: int | None, apply: bool, as_json: bool
) -> None:
    known = {offset.key: offset for offset in list_offsets(connection)}
    if key not in known:
        raise WrongUseError(f"{key}: expected one of {', '.join(map(str, known)) or 'none, for none was read yet'}")
    before = known[key].max_event_time
    if before is None or (asked is None and before <= clock):
        raise WrongUseError(
            f"{key}: expected a newest event beyond the database's clock {moment(clock)}, found {moment(before)};"
            " --to says how far to go back anyway"
        )
    target = supported_event_time(connection, key, until=clock) if asked is None else asked
    after = clock if target is None else target
    if after >= before:
        raise WrongUseError(f"--to: expected a time before the newest event {moment(before)}, found {moment(after)}")
    if apply:
        rewind_partition(connection, key, to=after)
    if as_json:
        partition = {"topic": key.topic, "partition": key.partition, "max_event_time": before, "rewound_to": after}
        print_json({"partition": partition, "applied": apply})
        return
    heading = "newest event (UTC)", "after it (UTC)"
    print_table("Partition", ("partition", *heading), [(key, moment(before), moment(after))], empty="")
    print_line(
        "Done. The worker that reads it takes it over again within seconds; a model that was judged beyond the clock is"
        " set back with --model."
        if apply
        else APPLY_HINT
    )


def _rewind_model(connection: sa.Connection, name: str, *, to: int, apply: bool, as_json: bool) -> None:
    model_id = model_named(connection, name)
    if model_id is None:
        raise WrongUseError(f"--model: expected one of {', '.join(model_names(connection)) or 'none'}; found {name!r}")
    if apply:
        if not lock_model(connection, model_id):
            raise UnavailableError(f"model {name}: an alerter is at work on it.\nRun the command again in a moment.")
        changed = rewind_model(
            connection,
            model_id,
            to=to,
            rewound_state=lambda state: encode_state(rewound(decode_state(state), to=to)),
        )
    else:
        changed = model_rewind(connection, model_id, to=to)
    if as_json:
        print_json({"model": name, "to": to, "changes": changed, "applied": apply})
        return
    _print_model(name, changed, to=to, apply=apply)


def _print_model(name: str, changed: ModelRewind, *, to: int, apply: bool) -> None:
    print_table(
        f"Windows of {name} after {moment(to)}",
        ("scale", "evaluated until (UTC)", "after it (UTC)"),
        [
            (span_text(scale.length), moment(scale.evaluated_until), moment(scale.rewound_to))
            for scale in changed.scales
        ],
        empty="no scale is evaluated further",
    )
    deleted = f"{changed.evaluations:,} evaluations and {changed.accuracy_evaluations:,} of accuracy"
    print_line(
        f"{deleted} that end after it {'were' if apply else 'would be'} deleted,"
        f" {changed.incidents:,} incidents that they moved {'were' if apply else 'would be'} set back."
    )
    print_line("Done. The next round of the alerter evaluates from there on." if apply else APPLY_HINT)

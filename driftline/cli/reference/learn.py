"""`driftline reference learn`: a reference, and if need be a spec, from the events that are in Kafka already."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.learn import LearnedEvents, LearnRequest, learn_events
from consumers.learn.sample import TIMESTAMP_COLUMN
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.init import NewSpec, listed, read_scales, spec_files, write_new_spec
from driftline.cli.options import IMPORTANCE_HELP, moment_option, read_spec_text, span_option
from driftline.cli.output import AsJson
from driftline.cli.profile_report import write_profile
from driftline.cli.reference.build import reference_of, refuse_existing, show_built
from driftline.cli.spec_proposal import Request, ledger_rate
from monitor.clock import now_millis
from monitor.errors import SpecError
from monitor.humanize import moment
from monitor.reference.description import PREDICTION_PREFIX, TableColumns
from monitor.reference.profile import encode_profile
from monitor.reference.rows import UsableRows
from monitor.settings import Settings, load_settings
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec, Task
from monitor.types import ModelKey

_NEW = "Only without --spec:"


def learn(
    model: Annotated[
        str | None, typer.Argument(help="Name of the model, as in its events; else that of --spec.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="Build the profile of this spec; without it one is proposed.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Project and environment, as in the events.")] = "default",
    version: Annotated[str | None, typer.Option(help="Only events of this version; default of all.")] = None,
    start: Annotated[str | None, typer.Option(help="Event time of the first, as 2026-06-01T00:00:00Z.")] = None,
    end: Annotated[
        str | None, typer.Option(help="Event time before which the last lies; default all there are.")
    ] = None,
    last: Annotated[str | None, typer.Option(help="Instead of --start: so long before the newest event: 7d.")] = None,
    rows: Annotated[
        int, typer.Option(min=1, help="At most so many events; of more, a sample that is the same each time.")
    ] = 100_000,
    topic: Annotated[list[str] | None, typer.Option(help="Topics to read; default the settings' predictions.")] = None,
    importance: Annotated[list[str] | None, typer.Option(help=IMPORTANCE_HELP)] = None,
    task: Annotated[Task | None, typer.Option(help=f"{_NEW} what the model predicts; else guessed.")] = None,
    positive: Annotated[str | None, typer.Option(help=f"{_NEW} the label that counts as positive.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help=f"{_NEW} features to leave out: a,b,c.")] = None,
    categorical: Annotated[list[str] | None, typer.Option(help=f"{_NEW} numbers that are codes: a,b,c.")] = None,
    scales: Annotated[str | None, typer.Option(help=f"{_NEW} windows as length/step: 10m/1m,1h/5m.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help=f"{_NEW} leave out what cannot be counted.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write the profile (without --spec, the spec); default as the spec says."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn a reference from the events in the predictions' topics, and propose a spec where there is none.

    Reads on its own, without joining the ingest group or moving any position. Every identity counts once, events from
    the future and records that are no events are left out, values are read as ingest reads them. Truths are not read:
    the accuracy of such a reference is not known.

    Exit code 2: no such events, or they cannot be counted; 3: Kafka does not answer or has no such topic.
    """
    parsed = None if spec is None else parse_spec(read_spec_text(spec), source=str(spec))
    key = _key(model, namespace, parsed)
    if start is not None and last is not None:
        raise WrongUseError("expected --start or --last, found both")
    place = None if spec is None or parsed is None else output or spec.parent / parsed.reference
    if place is not None:
        refuse_existing(place, force=force)
    files = None if place is not None else spec_files(output, key.name, force=force)
    settings = load_settings()
    request = LearnRequest(
        model=key,
        topics=tuple(topic or settings.predictions_topics),
        rows=rows,
        version=version,
        start=moment_option("--start", start),
        end=moment_option("--end", end),
        last=span_option("--last", last),
        read_at=now_millis(),
        spec=parsed,
    )
    source = f"events of {key} in {', '.join(request.topics)}"
    learnt = _read(settings, request, source=source, quiet=as_json)
    _require_events(learnt, request, source)
    notes = _notes(learnt, request)
    if files is not None and learnt.spec is not None:
        guessed = learnt.spec.prediction
        wanted = Request(
            source=source,
            scales=read_scales(scales),
            task=task,
            score=PREDICTION_PREFIX + "score" if guessed.score else None,
            label=PREDICTION_PREFIX + "label" if guessed.label else None,
            value=PREDICTION_PREFIX + "value" if guessed.value else None,
            timestamp=TIMESTAMP_COLUMN,
            ignored=listed(ignore),
            categorical=listed(categorical),
            positive=positive,
            sample_rate=_sample_rate(learnt),
            drop=drop,
        )
        new = NewSpec(model=key.name, namespace=key.namespace, reference=source, files=files, importance=importance)
        write_new_spec(UsableRows(table=learnt.table, weights=None, notes=notes), wanted, new, as_json=as_json)
    elif parsed is not None and place is not None:
        columns = TableColumns(timestamp=TIMESTAMP_COLUMN)
        built = reference_of(
            learnt.table,
            spec=parsed,
            columns=columns,
            source=source,
            name=source,
            importance=importance,
            notes=notes,
            distinct=True,
        )
        write_profile(encode_profile(built.profile), place)
        show_built(built, parsed, place=place, as_json=as_json)


def _key(model: str | None, namespace: str, spec: ModelSpec | None) -> ModelKey:
    if spec is None:
        if model is None:
            raise WrongUseError("expected the name of a model, or --spec; found neither")
        return ModelKey(namespace, model)
    if model is not None and model != spec.model:
        raise WrongUseError(f"model {model}: expected {spec.model} as in --spec, or none")
    return spec.key


def _read(settings: Settings, request: LearnRequest, *, source: str, quiet: bool) -> LearnedEvents:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        shown = bar.add_task("records", total=None)
        return learn_events(
            settings,
            request,
            source=source,
            on_progress=lambda read, there: bar.update(shown, completed=read, total=there),
        )


def _require_events(learnt: LearnedEvents, request: LearnRequest, source: str) -> None:
    """Return when there are rows.

    Raises:
        SpecError: There are none; says what was found instead.
    """
    if learnt.table.num_rows:
        return
    census = learnt.census
    between = f"from {moment(learnt.start) or 'the first'} to {moment(learnt.end) or 'the last'}"
    said = [f"expected events {between}, found none among {census.read:,} records"]
    if census.versions and request.version is not None:
        versions = ", ".join(f"{name} ({count:,})" for name, count in sorted(census.versions.items()))
        said.append(f"--version {request.version}: expected one of {versions}")
    if census.other_times:
        said.append(
            f"{census.other_times:,} events of the model lie at other times, the newest {moment(census.newest)}"
        )
    if census.other_models:
        most = sorted(census.other_models.items(), key=lambda model: -model[1])[:5]
        said.append(f"other models are there: {', '.join(f'{name} ({count:,})' for name, count in most)}")
    if census.newest_of_all is not None:
        said.append(f"the newest event of all in the topics is of {moment(census.newest_of_all)}")
    if census.refused:
        said.append(f"{census.refused:,} records are no prediction events, the first: {census.first_refusal}")
    raise SpecError(source, tuple(said))


def _notes(learnt: LearnedEvents, request: LearnRequest) -> tuple[str, ...]:
    census, notes = learnt.census, []
    events = sum(census.versions.values()) if request.version is None else census.versions[request.version]
    if not learnt.whole:
        notes.append(f"a sample of {learnt.table.num_rows:,} of {events:,} events; --rows takes more")
    elif learnt.table.num_rows < events:
        notes.append(f"{events - learnt.table.num_rows:,} events repeat an identity and were left out")
    if request.version is None and len(census.versions) > 1:
        versions = ", ".join(f"{name} ({count:,})" for name, count in sorted(census.versions.items()))
        notes.append(f"events of {len(census.versions)} versions together: {versions}; --version takes one")
    if census.refused:
        notes.append(f"{census.refused:,} records are no prediction events, the first: {census.first_refusal}")
    return tuple(notes)


def _sample_rate(learnt: LearnedEvents) -> float:
    """Return the ledger's rate for the model's whole traffic, of which the table may be a sample."""
    times = learnt.table[TIMESTAMP_COLUMN].to_numpy()
    return ledger_rate(sum(learnt.census.versions.values()), span_millis=int(times.max() - times.min()))

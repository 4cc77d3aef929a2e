"""`driftline reference learn`: a reference, and if need be a spec, from the events that are in Kafka already."""

from pathlib import Path
from typing import Annotated

import typer

from consumers.learn import LearnedEvents, LearnRequest, learn_events
from consumers.learn.sample import TIMESTAMP_COLUMN
from driftline.cli import options
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.init import NewSpec, listed, read_scales, spec_files, write_new_spec
from driftline.cli.output import AsJson, progress_bar
from driftline.cli.profile_report import write_profile
from driftline.cli.reference.build import reference_of, refuse_existing, show_built
from driftline.cli.reference.resolve import given_reference
from driftline.cli.spec_proposal import ProposalRequest, ledger_rate
from monitor.clock import now_millis
from monitor.errors import SpecError
from monitor.humanize import moment
from monitor.reference.description import PREDICTION_PREFIX, TableColumns
from monitor.reference.profile import encode_profile
from monitor.reference.rows import UsableRows
from monitor.settings import Settings, load_settings
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec, PredictionSpec
from monitor.types import UTC, ModelKey


def learn(
    model: Annotated[
        str | None, typer.Argument(help="Name of the model, as in its events; else that of --spec.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="Build the profile of this spec; without it one is proposed.")
    ] = None,
    namespace: options.Namespace = "default",
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
    importance: options.Importance = None,
    cells_of: options.CellsOf = None,
    task: options.ProposedTask = None,
    positive: options.Positive = None,
    timezone: options.Timezone = UTC,
    ignore: options.Ignored = None,
    categorical: options.Codes = None,
    scales: options.Scales = None,
    drop: options.Drop = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write the profile (without --spec, the spec); default as the spec says."),
    ] = None,
    force: options.Force = False,
    as_json: AsJson = False,
) -> None:
    """Learn a reference from the events in the predictions' topics, and propose a spec where there is none.

    Reads on its own, without joining the ingest group or moving any position. Every identity counts once, events from
    the future and records that are no events are left out, values are read as ingest reads them. Truths are not read:
    the accuracy of such a reference is not known. Options of the proposed spec have no effect with --spec.

    Exit code 2: no such events, or they cannot be counted; 3: Kafka does not answer or has no such topic.
    """
    parsed = None if spec is None else parse_spec(options.read_spec_text(spec), source=str(spec))
    key = _key(model, namespace, parsed)
    if start is not None and last is not None:
        raise WrongUseError("expected --start or --last, found both")
    if cells_of is not None and parsed is None:
        raise WrongUseError(f"--cells-of {cells_of}: expected --spec as well, found none")
    place = None if spec is None or parsed is None else output or spec.parent / parsed.reference
    if place is not None:
        refuse_existing(place, force=force)
    files = None if place is not None else spec_files(output, key.name, force=force)
    cells = None if cells_of is None else given_reference(cells_of).profile.layout
    settings = load_settings()
    request = LearnRequest(
        model=key,
        topics=tuple(topic or settings.predictions_topics),
        rows=rows,
        version=version,
        start=options.moment_option("--start", start),
        end=options.moment_option("--end", end),
        last=options.span_option("--last", last),
        read_at=now_millis(),
        spec=parsed,
    )
    source = f"events of {key} in {', '.join(request.topics)}"
    learnt = _read(settings, request, source=source, quiet=as_json)
    _require_events(learnt, request, source)
    notes = _notes(learnt, request)
    if files is not None and learnt.spec is not None:
        wanted = ProposalRequest(
            source=source,
            scales=read_scales(scales),
            columns=_columns(learnt.spec.prediction),
            timezone=timezone,
            task=task,
            ignored=listed(ignore),
            categorical=listed(categorical),
            positive=positive,
            sample_rate=_sample_rate(learnt),
            drop=drop,
        )
        new = NewSpec(model=key.name, namespace=key.namespace, reference=source, files=files, importance=importance)
        write_new_spec(UsableRows(table=learnt.table, weights=None, notes=notes), wanted, new, as_json=as_json)
    elif parsed is not None and place is not None:
        built = reference_of(
            learnt.table,
            spec=parsed,
            columns=TableColumns(timestamp=TIMESTAMP_COLUMN),
            source=source,
            name=source,
            importance=importance,
            cells=cells,
            notes=notes,
            distinct=True,
        )
        write_profile(encode_profile(built.profile), place)
        show_built(built, parsed, place=place, of_version=cells is not None, as_json=as_json)


def _columns(prediction: PredictionSpec) -> TableColumns:
    """Return where the parts of the prediction are in the table of what was read."""
    return TableColumns(
        score=PREDICTION_PREFIX + "score" if prediction.score else None,
        label=PREDICTION_PREFIX + "label" if prediction.label else None,
        value=PREDICTION_PREFIX + "value" if prediction.value else None,
        timestamp=TIMESTAMP_COLUMN,
    )


def _key(model: str | None, namespace: str, spec: ModelSpec | None) -> ModelKey:
    if spec is None:
        if model is None:
            raise WrongUseError("expected the name of a model, or --spec; found neither")
        return ModelKey(namespace, model)
    if model is not None and model != spec.model:
        raise WrongUseError(f"model {model}: expected {spec.model} as in --spec, or none")
    return spec.key


def _read(settings: Settings, request: LearnRequest, *, source: str, quiet: bool) -> LearnedEvents:
    with progress_bar(quiet=quiet) as bar:
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

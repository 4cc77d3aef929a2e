"""`driftline init`: a spec from a table or from the topic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from pydantic import ValidationError

from driftline.cli import options
from driftline.cli.files import named_files
from driftline.cli.output import AsJson, print_json, print_line
from driftline.cli.profile_report import accuracy_lines, built_remarks, column_lines, print_profile, write_profile
from driftline.cli.spec_proposal import ProposalRequest, SpecProposal, propose
from monitor.errors import SpecError
from monitor.planning.reference_report import too_few_rows
from monitor.reference.arrow_columns import read_table
from monitor.reference.build import build_profile
from monitor.reference.description import TableColumns
from monitor.reference.profile import ReferenceProfile, encode_profile
from monitor.reference.rows import UsableRows, usable_rows
from monitor.spec.actions import ActionMode
from monitor.spec.file import spec_of
from monitor.spec.model import ColumnKind, ModelSpec, ScaleSpec, WindowSpec
from monitor.spec.template import spec_template
from monitor.types import UTC, ActionKind

SCHEMA_FILE = "spec.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFiles:
    """Where spec and profile go."""

    spec: Path
    profile: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpec:
    """Settings of the new spec that are given by option and not proposed.

    Attributes:
        reference: Name of the table, for the profile.
        importance: As the option says it.
    """

    model: str
    namespace: str
    reference: str
    files: SpecFiles
    importance: list[str] | None = None


def spec_files(output: Path | None, model: str, *, force: bool) -> SpecFiles:
    """Return where the spec and the profile of *model* go.

    Raises:
        SpecError: A file is there and not to be overwritten.
        WrongUseError: Nothing can be there.
    """
    name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in model)
    path = output or Path(f"{name}.yaml")
    with named_files():
        if path.is_dir():
            path = path / f"{name}.yaml"
        files = SpecFiles(spec=path, profile=path.with_suffix(".reference"))
        existing = [file for file in (files.spec, files.profile) if file.exists()]
    problems = tuple(
        f"{file}: expected no such file, found one; --force overwrites it, `driftline reference build` keeps the spec"
        for file in existing
    )
    if problems and not force:
        raise SpecError("a new spec", problems)
    return files


def write_new_spec(rows: UsableRows, request: ProposalRequest, new: NewSpec, *, as_json: bool) -> None:
    """Propose a spec for *rows*, write it and its profile, and say so.

    Raises:
        SpecError: Columns, options or rows cannot be used; every problem at once. Nothing was written.
    """
    proposal, files = propose(rows.table, request), new.files
    shares = options.read_importance(new.importance, features=tuple(name for name, _ in proposal.description.features))
    profile = build_profile(rows.table, description=proposal.description, source=new.reference, weights=rows.weights)
    profile = msgspec.structs.replace(profile, importance=shares)
    spec = proposed_spec(proposal, new)
    if refusal := too_few_rows(spec, profile):
        raise SpecError(request.source, (refusal,))
    write_profile(encode_profile(profile), files.profile)
    schema = SCHEMA_FILE if (files.spec.parent / SCHEMA_FILE).is_file() else None
    text = spec_template(spec, remarks=_column_remarks(proposal, profile), schema=schema)
    with named_files():
        files.spec.write_text(text, encoding="utf-8")
    said = built_remarks(profile, spec, notes=(*rows.notes, *proposal.notes))
    if as_json:
        print_json(
            {
                "spec": str(files.spec),
                "reference": str(files.profile),
                "rows": profile.rows,
                "task": proposal.task,
                "sample_rate": proposal.sample_rate,
                "correct": profile.correct,
                "labelled": profile.labelled,
                "accuracy_lines": accuracy_lines(profile, spec),
                "columns": column_lines(profile),
                "notes": [remark.text for remark in said],
            }
        )
        return
    print_profile(profile, spec, remarks=said)
    print_line(f"Wrote {files.spec} and {files.profile}.")
    print_line(f"Next: read {files.spec}, then `driftline plan {files.spec}` and `driftline apply {files.spec}`.")


def proposed_spec(proposal: SpecProposal, new: NewSpec) -> ModelSpec:
    """Return what is proposed; messages go to the log, and actions are recorded only."""
    description = proposal.description
    return spec_of(
        {
            "model": new.model,
            "namespace": new.namespace,
            "task": proposal.task,
            "reference": new.files.profile.name,
            "columns": {name: {"kind": kind} for name, kind in description.features},
            "prediction": {
                "score": description.score is not None,
                "label": description.label is not None,
                "value": description.value is not None,
                "threshold": description.threshold,
            },
            "truth": {"positive": description.positive, "negative": description.negative},
            "sample_rate": proposal.sample_rate,
            "segments": proposal.segments,
            "windows": {"scales": proposal.scales},
            "drift": {"timezone": UTC if description.clock is None else description.clock.timezone},
            "alerting": {"receivers": [{"name": "log", "type": "log"}]},
            "actions": {kind.value: {"mode": ActionMode.DRY_RUN} for kind in ActionKind},
        },
        source=str(new.files.spec),
    )


def _column_remarks(proposal: SpecProposal, profile: ReferenceProfile) -> dict[tuple[str, ...], str]:
    remarks: dict[tuple[str, ...], str] = {}
    for (name, kind), span in zip(proposal.description.features, profile.layout.spans, strict=False):
        missing = profile.counts[span.slots] / profile.rows
        cells = f"{span.slots - span.start} {'cells' if kind is ColumnKind.NUMERIC else 'categories'}"
        remarks["columns", name] = f"{cells}, {missing:.1%} missing in the reference"
    return remarks


def listed(values: list[str] | None) -> tuple[str, ...]:
    """Return the names in options like ``a,b,c`` that may be repeated."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def read_scales(text: str | None) -> tuple[ScaleSpec, ...]:
    """Return windows written as ``10m/1m,1h/5m``; the default ones for None.

    Raises:
        SpecError: A pair is none; every problem at once.
    """
    if text is None:
        return WindowSpec().scales
    pairs = [part.strip().partition("/") for part in text.split(",")]
    document = {"scales": [{"length": length, "step": step} for length, _, step in pairs]}
    try:
        return WindowSpec.model_validate(document).scales
    except ValidationError as error:
        # A pair that is wrong is left out of the tuple, which then is too short as well: no problem of its own.
        said = tuple(
            f"--scales {text}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
            if problem["type"] != "too_short"
        )
        raise SpecError("--scales", said) from error


def init(
    reference: options.PredictionsFile,
    model: Annotated[str, typer.Option(help="Name of the model, as in its events.")],
    namespace: options.Namespace = "default",
    task: options.ProposedTask = None,
    score: options.ScoreColumn = None,
    label: options.LabelColumn = None,
    value: options.ValueColumn = None,
    truth: options.TruthColumn = None,
    truth_time: options.TruthTimes = None,
    timestamp: options.ReferenceTimes = None,
    timezone: options.Timezone = UTC,
    identity: options.ReferenceIdentity = None,
    ignore: options.Ignored = None,
    categorical: options.Codes = None,
    positive: options.Positive = None,
    scales: options.Scales = None,
    segment: Annotated[
        list[str] | None, options.proposed(help="TAG:COL: a series for each value of the tag, listed from the column.")
    ] = None,
    sample_rate: Annotated[
        float | None,
        options.proposed(min=0, max=1, help="Share of predictions kept for truths; default by the traffic."),
    ] = None,
    weights: options.Weights = None,
    importance: options.Importance = None,
    drop: options.Drop = False,
    output: Annotated[Path | None, typer.Option(help="Where to write the spec; default MODEL.yaml here.")] = None,
    force: options.Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented model spec and a reference profile from past predictions.

    The profile (MODEL.reference, next to the spec) holds counts, no rows. Nothing is sent anywhere; `driftline apply`
    stores both. Exit code 2: the table, an option or a column cannot be used; every problem is listed.
    """
    files = spec_files(output, model, force=force)
    rows = usable_rows(read_table(reference), source=str(reference), identity=identity, weights=weights)
    request = ProposalRequest(
        source=str(reference),
        scales=read_scales(scales),
        columns=TableColumns(
            score=score, label=label, value=value, truth=truth, truth_time=truth_time, timestamp=timestamp
        ),
        timezone=timezone,
        task=task,
        identity=identity,
        ignored=(*listed(ignore), *([weights] if weights else [])),
        categorical=listed(categorical),
        positive=positive,
        segments=_segments(segment),
        sample_rate=sample_rate,
        drop=drop,
    )
    new = NewSpec(model=model, namespace=namespace, reference=reference.name, files=files, importance=importance)
    write_new_spec(rows, request, new, as_json=as_json)


def _segments(values: list[str] | None) -> tuple[tuple[str, str], ...]:
    """Return (tag, column) pairs; a name alone is both."""
    return tuple((tag, column or tag) for tag, _, column in (name.partition(":") for name in listed(values)))

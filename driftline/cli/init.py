"""`driftline init`: a spec and a reference profile from a table of past predictions."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from pydantic import ValidationError

from driftline.cli.console import print_json
from driftline.cli.importance_option import IMPORTANCE_HELP, read_importance
from driftline.cli.profile_report import built_remarks, column_lines, print_profile, write_profile
from driftline.cli.proposal import Proposal, Request, propose
from driftline.cli.spec_text import spec_text
from monitor.errors import SpecError
from monitor.planning.reference_size import too_few_rows
from monitor.reference.build import build_profile
from monitor.reference.profile import ReferenceProfile, encode_profile
from monitor.reference.remarks import Remark
from monitor.reference.table import read_table
from monitor.reference.usable_rows import usable_rows
from monitor.spec import ScaleSpec, Task, WindowSpec
from monitor.spec_file import parse_spec

SCHEMA_FILE = "spec.schema.json"


def init(
    reference: Annotated[Path, typer.Option(help="Parquet or CSV file with past predictions, one a row.")],
    model: Annotated[str, typer.Option(help="Name of the model, as in its events.")],
    namespace: Annotated[str, typer.Option(help="Project and environment, as in the events.")] = "default",
    task: Annotated[Task | None, typer.Option(help="What the model predicts; guessed when left out.")] = None,
    score: Annotated[str | None, typer.Option(help="Column with the predicted score, 0 to 1.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the predicted label.")] = None,
    value: Annotated[str | None, typer.Option(help="Column with the predicted number (regression).")] = None,
    truth: Annotated[str | None, typer.Option(help="Column with what turned out to be true.")] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(help="Column with the event times; from them the natural movement of each column is learnt."),
    ] = None,
    identity: Annotated[str | None, typer.Option("--id", help="Column with the prediction id; no feature.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Columns to leave out: a,b,c; may be repeated.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option(help="Numbers to count as categories (codes): a,b,c; may be repeated.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="The truth that counts as positive; 1, true, yes guessed.")
    ] = None,
    scales: Annotated[
        str | None, typer.Option(help="Windows as length/step: 10m/1m,1h/5m; default six from 10m to 7d.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="TAG:COL: a series for each value of the tag, listed from the column.")
    ] = None,
    sample_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of predictions kept for truths; default by the traffic.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Column with row weights; the rows are worth as many as Kish's size says.")
    ] = None,
    importance: Annotated[list[str] | None, typer.Option(help=IMPORTANCE_HELP)] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Leave out columns that cannot be counted.")] = False,
    output: Annotated[Path | None, typer.Option(help="Where to write the spec; default MODEL.yaml here.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a commented model spec and a reference profile from past predictions.

    The profile (MODEL.reference, beside the spec) holds counts, no rows. Nothing is sent anywhere; `driftline apply`
    stores both. Exit code 2: the table, an option or a column cannot be used; every problem is listed.
    """
    spec_path, profile_path = _paths(output, model, force=force)
    rows = usable_rows(read_table(reference), source=str(reference), identity=identity, weights=weights)
    proposal = propose(
        rows.table,
        Request(
            source=str(reference),
            scales=_scales(scales),
            task=task,
            score=score,
            label=label,
            value=value,
            truth=truth,
            timestamp=timestamp,
            identity=identity,
            ignored=(*_listed(ignore), *([weights] if weights else [])),
            categorical=_listed(categorical),
            positive=positive,
            segments=_segments(segment),
            sample_rate=sample_rate,
            drop=drop,
        ),
    )
    features = tuple(name for name, _ in proposal.description.features)
    shares = read_importance(importance, features=features)
    profile = build_profile(rows.table, description=proposal.description, source=reference.name, weights=rows.weights)
    profile = msgspec.structs.replace(profile, importance=shares)
    schema = SCHEMA_FILE if (spec_path.parent / SCHEMA_FILE).is_file() else None
    text = spec_text(
        proposal, profile=profile, model=model, namespace=namespace, reference=profile_path.name, schema=schema
    )
    spec = parse_spec(text, source=str(spec_path))
    if refusal := too_few_rows(spec, profile):
        raise SpecError(str(reference), (refusal,))
    write_profile(encode_profile(profile), profile_path)
    spec_path.write_text(text, encoding="utf-8")
    said = built_remarks(profile, spec, notes=(*rows.notes, *proposal.notes))
    _show(proposal, profile, said, spec_path=spec_path, profile_path=profile_path, as_json=as_json)


def _paths(output: Path | None, model: str, *, force: bool) -> tuple[Path, Path]:
    name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in model)
    path = output or Path(f"{name}.yaml")
    if path.is_dir():
        path = path / f"{name}.yaml"
    profile = path.with_suffix(".reference")
    problems = tuple(
        f"{each}: expected no such file, found one; --force overwrites it" for each in (path, profile) if each.exists()
    )
    if problems and not force:
        raise SpecError("driftline init", problems)
    return path, profile


def _listed(values: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def _segments(values: list[str] | None) -> tuple[tuple[str, str], ...]:
    """Return (tag, column) pairs; a name alone is both."""
    return tuple((tag, column or tag) for tag, _, column in (each.partition(":") for each in _listed(values)))


def _scales(text: str | None) -> tuple[ScaleSpec, ...]:
    if text is None:
        return WindowSpec().scales
    pairs = [each.strip().partition("/") for each in text.split(",")]
    document = {"scales": [{"length": length, "step": step} for length, _, step in pairs]}
    try:
        return WindowSpec.model_validate(document).scales
    except ValidationError as error:
        # A pair that is wrong is left out of the tuple, which then is too short as well: no problem of its own.
        said = tuple(
            f"--scales {text}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
            if each["type"] != "too_short"
        )
        raise SpecError("driftline init", said) from error


def _show(
    proposal: Proposal,
    profile: ReferenceProfile,
    said: tuple[Remark, ...],
    *,
    spec_path: Path,
    profile_path: Path,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "spec": str(spec_path),
                "reference": str(profile_path),
                "rows": profile.rows,
                "task": proposal.task,
                "sample_rate": proposal.sample_rate,
                "correct": profile.correct,
                "labelled": profile.labelled,
                "columns": column_lines(profile),
                "notes": [each.text for each in said],
            }
        )
        return
    print_profile(profile, lengths=proposal.description.lengths, remarks=said)
    typer.echo(f"Wrote {spec_path} and {profile_path}.")
    typer.echo(f"Next: read {spec_path}, then `driftline plan {spec_path}` and `driftline apply {spec_path}`.")

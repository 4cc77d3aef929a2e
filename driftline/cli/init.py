"""`driftline init`: a spec and a reference profile from a table of past predictions."""

from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.importance_option import IMPORTANCE_HELP
from driftline.cli.new_spec import NewSpec, listed, read_scales, spec_files, write_new_spec
from driftline.cli.proposal import Request
from monitor.reference.arrow_columns import read_table
from monitor.reference.rows import usable_rows
from monitor.spec.model import Task


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
    files = spec_files(output, model, force=force)
    rows = usable_rows(read_table(reference), source=str(reference), identity=identity, weights=weights)
    write_new_spec(
        rows,
        Request(
            source=str(reference),
            scales=read_scales(scales),
            task=task,
            score=score,
            label=label,
            value=value,
            truth=truth,
            timestamp=timestamp,
            identity=identity,
            ignored=(*listed(ignore), *([weights] if weights else [])),
            categorical=listed(categorical),
            positive=positive,
            segments=_segments(segment),
            sample_rate=sample_rate,
            drop=drop,
        ),
        NewSpec(model=model, namespace=namespace, reference=reference.name, files=files, importance=importance),
        as_json=as_json,
    )


def _segments(values: list[str] | None) -> tuple[tuple[str, str], ...]:
    """Return (tag, column) pairs; a name alone is both."""
    return tuple((tag, column or tag) for tag, _, column in (each.partition(":") for each in listed(values)))

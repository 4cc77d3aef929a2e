"""`driftline reference build`: a reference profile for a spec that is there, from a table of past predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa
import typer

from driftline.cli import options
from driftline.cli.files import named_files
from driftline.cli.output import AsJson, print_json, print_line
from driftline.cli.profile_report import accuracy_lines, built_remarks, column_lines, print_profile, write_profile
from driftline.cli.reference.resolve import given_reference
from monitor.errors import SpecError
from monitor.planning.reference_report import too_few_rows
from monitor.reference.arrow_columns import read_table
from monitor.reference.build import build_profile
from monitor.reference.checks import Remark
from monitor.reference.description import TableColumns, spec_description
from monitor.reference.layout import CellsLayout
from monitor.reference.profile import ReferenceProfile, encode_profile
from monitor.reference.rows import usable_rows
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec


def build(
    spec: Annotated[Path, typer.Argument(help="The model spec; its columns and scales say what is counted.")],
    table: Annotated[Path, typer.Option("--from", help=options.PREDICTIONS_HELP)],
    score: Annotated[str | None, typer.Option(help="Column with the score; default prediction.score.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the label; default prediction.label.")] = None,
    value: Annotated[str | None, typer.Option(help="Column with the number; default prediction.value.")] = None,
    truth: options.TruthColumn = None,
    truth_time: options.TruthTimes = None,
    timestamp: options.ReferenceTimes = None,
    identity: options.ReferenceIdentity = None,
    weights: options.Weights = None,
    importance: options.Importance = None,
    cells_of: options.CellsOf = None,
    output: Annotated[Path | None, typer.Option(help="Where to write it; default the profile the spec names.")] = None,
    force: options.Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a reference profile for a spec from past predictions, with the same cells as `driftline init` makes.

    Columns have the names of the spec. `driftline init` writes both spec and profile; this is for the next reference.
    Nothing is sent anywhere: `driftline reference adopt` or `driftline apply` put the profile in force. Of a new
    version's own predictions, as on its validation set: with --cells-of MODEL, then `reference adopt --version`.

    Exit code 2: the table, an option or a column cannot be used, or there are too few rows; every problem is listed.
    """
    parsed = parse_spec(options.read_spec_text(spec), source=str(spec))
    place = output or spec.parent / parsed.reference
    refuse_existing(place, force=force)
    built = reference_of(
        read_table(table),
        spec=parsed,
        columns=TableColumns(
            score=score, label=label, value=value, truth=truth, truth_time=truth_time, timestamp=timestamp
        ),
        identity=identity,
        weights=weights,
        importance=importance,
        cells=None if cells_of is None else given_reference(cells_of).profile.layout,
        source=str(table),
        name=table.name,
    )
    write_profile(encode_profile(built.profile), place)
    show_built(built, parsed, place=place, of_version=cells_of is not None, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltReference:
    """A profile and what is to be said of it."""

    profile: ReferenceProfile
    remarks: tuple[Remark, ...]


def refuse_existing(path: Path, *, force: bool) -> None:
    """Return when nothing is at *path*, or it may be overwritten.

    Raises:
        SpecError: A file is there, or a directory.
        WrongUseError: Nothing can be there.
    """
    with named_files():
        if path.is_dir():
            raise SpecError(str(path), ("expected the name of a file to write, found a directory",))
        exists = path.exists()
    if exists and not force:
        raise SpecError(str(path), ("expected no such file, found one; --force overwrites it, --output names another",))


def reference_of(
    table: pa.Table,
    *,
    spec: ModelSpec,
    columns: TableColumns,
    source: str,
    name: str,
    identity: str | None = None,
    weights: str | None = None,
    importance: list[str] | None = None,
    cells: CellsLayout | None = None,
    notes: tuple[str, ...] = (),
    distinct: bool = False,
) -> BuiltReference:
    """Return the reference in *table* for *spec*.

    Args:
        source: Of the table, for messages.
        name: Of the table, for the profile.
        identity, weights: Columns of ids and of row weights.
        importance: As the option says it.
        cells: To count on; None: they are chosen for the rows.
        notes: To be said first.
        distinct: Each row is known to be a prediction of its own, so equal ones are no wonder.

    Raises:
        SpecError: Columns or rows cannot be used; every problem at once.
    """
    shares = options.read_importance(importance, features=tuple(spec.columns))
    description, problems = spec_description(spec, columns, known=tuple(table.column_names))
    if problems:
        raise SpecError(source, problems)
    compared = () if distinct else description.sources
    rows = usable_rows(table, source=source, columns=compared, identity=identity, weights=weights)
    try:
        profile = build_profile(rows.table, description=description, source=name, weights=rows.weights, cells=cells)
    except SpecError as error:
        raise SpecError(source, tuple(_with_cure(problem, spec) for problem in error.problems)) from error
    profile = msgspec.structs.replace(profile, importance=shares)
    if refusal := too_few_rows(spec, profile):
        raise SpecError(source, (refusal,))
    said = built_remarks(profile, spec, notes=(*notes, *rows.notes), of_version=cells is not None)
    return BuiltReference(profile=profile, remarks=said)


def show_built(built: BuiltReference, spec: ModelSpec, *, place: Path, as_json: bool, of_version: bool = False) -> None:
    """Print what was built and written to *place*; *of_version*: of one version's predictions, on given cells."""
    profile = built.profile
    if as_json:
        print_json(
            {
                "reference": str(place),
                "rows": profile.rows,
                "weighed_rows": profile.weighed_rows,
                "start": profile.start,
                "end": profile.end,
                "correct": profile.correct,
                "labelled": profile.labelled,
                "accuracy_lines": accuracy_lines(profile, spec),
                "columns": column_lines(profile),
                "remarks": [remark.text for remark in built.remarks],
            }
        )
        return
    print_profile(profile, spec, remarks=built.remarks)
    print_line(f"Wrote {place}.")
    adopt = f"driftline reference adopt {spec.key} {place}{' --version VERSION' if of_version else ''}"
    print_line(f"Next: `driftline reference show {place}`, then `{adopt}`.")


def _with_cure(problem: str, spec: ModelSpec) -> str:
    of_feature = any(problem.startswith(f"column {name!r}: ") for name in spec.columns)
    return f"{problem}; repair it, or take it out of the spec's `columns`" if of_feature else problem

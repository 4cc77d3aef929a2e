"""`driftline reference list`: the stored references, and which of them are in force."""

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from driftline.cli.options import Limit, opened_database
from driftline.cli.output import AsJson, print_json, print_table
from driftline.cli.reference.resolve import known_model
from monitor.errors import SpecError
from monitor.humanize import moment
from monitor.reference.profile import ReferenceProfile
from monitor.settings import load_settings
from monitor.store.references import ReferenceRow, list_references
from monitor.store.version_adoptions import versions_by_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLine:
    """One stored reference as `--json` shows it; moments in epoch milliseconds. Of a damaged one None is not known.

    Attributes:
        base_id: Of a rolling one, the reference whose cells and bins it has.
        in_force_since: None: another one is in force.
        adopted: It was adopted; the spec's file names another one.
        versions: Whose predictions alone are compared with it.
        problem: Why it cannot be read and what to do; None: it can be.
    """

    id: int
    model: str
    kind: str
    base_id: int | None
    created_at: int
    in_force_since: int | None
    adopted: bool
    versions: tuple[str, ...]
    cells_id: int
    cells: int | None = None
    columns: int | None = None
    rows: int | None = None
    weighed_rows: int | None = None
    start: int | None = None
    end: int | None = None
    source: str | None = None
    problem: str | None = None


def list_stored(
    model: Annotated[str | None, typer.Argument(help="Only of this model: its name, or NAMESPACE/NAME.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the stored references: applied, adopted or stored once, and those in force for a model or one version."""
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        model_id = None if model is None else known_model(connection, model)
        stored = list_references(connection, model_id=model_id, limit=limit)
        versions = versions_by_profile(connection)
    lines = [_line(row, profile, versions.get(row.reference_id, ())) for row, profile in stored]
    if as_json:
        print_json({"references": lines})
        return
    print_table(
        "References",
        ("id", "model", "kind", "in force since (UTC)", "stored (UTC)", "rows", "from (UTC)", "to (UTC)", "cells"),
        [
            (
                line.id,
                line.model,
                line.kind if line.base_id is None else f"rolling on {line.base_id}",
                _in_force(line),
                moment(line.created_at),
                line.rows,
                moment(line.start),
                moment(line.end),
                line.cells_id,
            )
            for line in lines
        ],
        notes=[line.problem or line.source or "" for line in lines],
        empty="none is stored; `driftline apply` stores the first",
    )


def _in_force(line: ReferenceLine) -> str | None:
    said = [f"for version {version}" for version in line.versions]
    if line.in_force_since is not None:
        said.insert(0, f"{moment(line.in_force_since)}{', adopted' if line.adopted else ''}")
    return "; ".join(said) or None


def _line(row: ReferenceRow, profile: ReferenceProfile | SpecError, versions: tuple[str, ...]) -> ReferenceLine:
    line = ReferenceLine(
        id=row.reference_id,
        model=str(row.model),
        kind=row.kind,
        base_id=row.base_id,
        created_at=row.created_at,
        in_force_since=row.in_force_since,
        adopted=row.adopted,
        versions=versions,
        cells_id=row.cells_id,
    )
    if isinstance(profile, SpecError):
        problem = f"{profile.source} is damaged: {'; '.join(profile.problems)}; {_cure(row, versions)}"
        return replace(line, problem=problem)
    return replace(
        line,
        cells=profile.layout.size,
        columns=len(profile.columns),
        rows=profile.rows,
        weighed_rows=profile.weighed_rows,
        start=profile.start,
        end=profile.end,
        source=profile.source,
    )


def _cure(row: ReferenceRow, versions: tuple[str, ...]) -> str:
    """Return what to do about a damaged reference, without putting in force what is not."""
    adopt = f"driftline reference adopt {row.model}"
    if row.in_force_since is not None and not row.adopted:
        return "apply the spec with its profile again (`driftline apply SPEC`)"
    if row.base_id is not None:
        in_force = row.in_force_since is not None
        return f"`{adopt} --rolling` replaces it" if in_force else "it is not in force"
    if row.in_force_since is not None:
        return f"`{adopt} FILE` with the profile file that it was stored from writes it once more"
    if versions:
        return (
            f"`{adopt} FILE --version {versions[0]}` with the profile file that it was stored from writes it once more"
        )
    store = f"`driftline reference store {row.model} FILE` with the profile file that it was stored from"
    return f"it is not in force; {store} writes it once more"

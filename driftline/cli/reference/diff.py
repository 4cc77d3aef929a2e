"""`driftline reference diff`: two references, column by column."""

from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.console import AsJson, print_json, print_table
from driftline.cli.reference.given import given_reference
from monitor.detection.reference_diff import ColumnDifference, reference_difference


def diff(
    a: Annotated[str, typer.Argument(help="The reference to compare with: an id, a profile file or a model.")],
    b: Annotated[str, typer.Argument(help="The other one, compared as a window would be.")],
    spec: Annotated[Path | None, typer.Option(help="Spec for profile files; default the columns of A.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two references column by column, what differs most first.

    PSI and KS distance on the cells and bins of A, and the shares of missing, invalid and unseen values in both.
    "by chance" is the PSI that two samples of these sizes show on average when nothing differs.
    """
    first, second = given_reference(a, spec=spec), given_reference(b, spec=spec)
    found = reference_difference(first.spec, first.profile, second.profile)
    if as_json:
        print_json({"a": first.label, "b": second.label, "difference": found})
        return
    typer.echo(f"A: {first.label}, {first.profile.rows:,} rows. B: {second.label}, {second.profile.rows:,} rows.")
    cells = "the same cells: adopting the other changes counts alone" if found.same_cells else "other cells"
    typer.echo(f"They have {cells}.")
    print_table(
        "Columns",
        ("column", "kind", "PSI", "by chance", "KS", "missing A", "missing B", "invalid A", "invalid B", "unseen B"),
        [
            (
                each.name,
                each.kind,
                _number(each.psi, each),
                _number(each.chance),
                _number(each.ks, each),
                *(f"{share:.2%}" for share in (each.a.missing, each.b.missing, each.a.invalid, each.b.invalid)),
                f"{each.b.unseen:.2%}",
            )
            for each in found.columns
        ],
        empty="none is in both",
    )
    if not all(each.exact for each in found.columns):
        typer.echo("~ B's cells differ from A's: its values were taken as even inside each, a thousandth of the rows.")
    for side, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            typer.echo(f"Only in {side}, or of another kind there: {', '.join(names)}.")


def _number(value: float | None, column: ColumnDifference | None = None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}{'' if column is None or column.exact else '~'}"

"""`driftline reference show` and `diff`."""

from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.output import AsJson, print_json, print_line, print_table, print_wrapped
from driftline.cli.reference.resolve import REFERENCE_HELP, GivenReference, given_reference
from monitor.detection.reference_diff import ColumnDifference, reference_difference
from monitor.humanize import moment
from monitor.planning import Traffic
from monitor.planning.reference_report import ColumnReport, ReferenceReport, reference_report
from monitor.planning.results import ColumnPlan
from monitor.types import Calibration

UNKNOWN_TRAFFIC = 100.0  # events a minute

CALIBRATION_MARKS = {Calibration.MEASURED: "", Calibration.ESTIMATED: "~", Calibration.UNCALIBRATED: "?"}
_LEGEND = (
    "At each scale: the PSI from which on a warning is proven in a window of so many events, and how much more the "
    "column moves than chance makes it (×1: not at all). ~ estimated: from few blocks, or from a shorter scale, ? not "
    "calibrated, never: one bin, or too few blocks of a column that wanders, few: fewer values than min_events. By the "
    "hour: compared with the same hours of the reference."
)


def show(
    reference: Annotated[str, typer.Argument(help=REFERENCE_HELP)],
    spec: Annotated[
        Path | None, typer.Option(help="Look at a profile file with this spec; default its own columns, all defaults.")
    ] = None,
    events_per_minute: Annotated[
        float | None,
        typer.Option(help="Predictions of one version; default as in the newest windows or the reference."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a reference: rows, span, cells and bins of each column, natural movement, and what each scale can prove.

    "0.49 ×3.1" at 10m means: in a window of ten minutes this column's PSI is proven to be drift from 0.49 on, and
    its natural movement is 3.1 times what chance alone makes. `driftline plan` says what to change.
    """
    given = given_reference(reference, spec=spec)
    report = reference_report(given.spec, given.profile, traffic=_traffic(given, events_per_minute))
    if as_json:
        print_json({"reference": given.label, "stored": given.row, "reference_report": report})
        return
    _print_head(given, report)
    _print_columns(report)
    for remark in report.remarks:
        print_wrapped(remark, initial_indent="- ", subsequent_indent="  ")


def _traffic(given: GivenReference, said: float | None) -> Traffic:
    if said is not None:
        if not said > 0:
            raise WrongUseError(f"--events-per-minute: expected more than 0, found {said:g}")
        return Traffic(events_per_minute=said, source="--events-per-minute")
    if given.traffic is not None:
        return given.traffic
    return Traffic(events_per_minute=UNKNOWN_TRAFFIC, source="not known, so taken; --events-per-minute says another")


def _print_head(given: GivenReference, report: ReferenceReport) -> None:
    worth = f" ({report.weighed_rows:,} weighed ones)" if report.weighed_rows else ""
    span = "no time stamps"
    if report.start is not None:
        blocks = f"{report.blocks:,} blocks of {report.block_minutes} min"
        span = f"{moment(report.start)} to {moment(report.end)} UTC, {blocks}"
    print_line(f"{given.label}: {report.rows:,} rows{worth}; {span}; from {report.source}.")
    row = given.row
    if row is not None:
        state = "not in force" if row.in_force_since is None else f"in force since {moment(row.in_force_since)} UTC"
        kind = row.kind if row.base_id is None else f"rolling on the cells of reference {row.base_id}"
        print_line(f"{kind}, cells {row.cells_id}, stored {moment(row.created_at)} UTC, {state}.")
    if report.labelled:
        print_line(f"Accuracy {report.correct / report.labelled:.4f} of {report.labelled:,} labelled rows.")
    print_line(f"Windows: {report.traffic.events_per_minute:,.4g} events a minute ({report.traffic.source}).")


def _print_columns(report: ReferenceReport) -> None:
    scales = [f"{scale} ({events:,.0f})" for scale, events in report.events.items()]
    print_table(
        "Columns",
        ("column", "kind", "cells", "bins", "missing", *scales, ""),
        [
            (
                column.name,
                column.kind,
                column.cells,
                column.bins,
                f"{column.missing:.1%}",
                *(_cell(column.scales.get(scale)) for scale in report.events),
                _judgement(column),
            )
            for column in report.columns
        ],
        empty="none",
    )
    print_wrapped(_LEGEND)


def _cell(plan: ColumnPlan | None) -> str | None:
    if plan is None:
        return None
    if plan.proven_from is None:
        return "never"
    if not plan.concludes:
        return "few"
    return f"{plan.proven_from:.2f} ×{plan.overdispersion:.1f}{CALIBRATION_MARKS[plan.status]}"


def _judgement(column: ColumnReport) -> str:
    if not column.monitored:
        return "not monitored"
    if column.constant is not None:
        return "constant"
    if column.uninformative:
        return "uninformative"
    return "by the hour" if column.seasonal else ""


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
    difference = reference_difference(first.spec, first.profile, second.profile)
    if as_json:
        print_json({"a": first.label, "b": second.label, "difference": difference})
        return
    print_line(f"A: {first.label}, {first.profile.rows:,} rows. B: {second.label}, {second.profile.rows:,} rows.")
    cells = "the same cells: adopting the other changes counts alone" if difference.same_cells else "other cells"
    print_line(f"They have {cells}.")
    print_table(
        "Columns",
        ("column", "kind", "PSI", "by chance", "KS", "missing A", "missing B", "invalid A", "invalid B", "unseen B"),
        [
            (
                column.name,
                column.kind,
                _number(column.psi, column),
                _number(column.chance),
                _number(column.ks, column),
                *(f"{share:.2%}" for share in (column.a.missing, column.b.missing, column.a.invalid, column.b.invalid)),
                f"{column.b.unseen:.2%}",
            )
            for column in difference.columns
        ],
        empty="none is in both",
    )
    if not all(column.exact for column in difference.columns):
        print_line("~ B's cells differ from A's: its values were taken as even inside each, a thousandth of the rows.")
    for side, names in (("A", difference.only_a), ("B", difference.only_b)):
        if names:
            print_line(f"Only in {side}, or of another kind there: {', '.join(names)}.")


def _number(value: float | None, column: ColumnDifference | None = None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}{'' if column is None or column.exact else '~'}"

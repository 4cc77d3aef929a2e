"""`driftline evaluations`: windows as they were decided, and the numbers of every column."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import Limit, Namespace, opened_database
from driftline.cli.output import AsJson, print_json, print_table
from monitor.clock import to_millis
from monitor.humanize import moment, span_text
from monitor.results import ColumnResult, FurtherStatistics
from monitor.settings import load_settings
from monitor.store.views.evaluations import ShownEvaluation, known_models, shown_evaluations
from monitor.types import ALL_SEGMENT, ModelKey
from monitor.units import minutes, parse_duration

# Headings of the further statistics, in the order in which they are shown.
_FURTHER = {
    "jensen_shannon": "JS dist.",
    "kullback_leibler": "KL",
    "hellinger": "Hellinger",
    "total_variation": "TV",
    "l_infinity": "L-inf",
    "chi_squared": "chi2",
    "chi_squared_freedom": "df",
    "chi_squared_p": "p",
    "wasserstein": "W1/IQR",
}


def evaluations(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model, as applied.")],
    namespace: Namespace = "default",
    version: Annotated[str | None, typer.Option(help="Only windows of this version.")] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="TAG=VALUE", help="Windows of one segment instead of all events.")
    ] = None,
    scale: Annotated[str | None, typer.Option(help="Only windows of this length: 10m, 1h, 7d.")] = None,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only windows that end then, with the numbers of every column: 2026-06-01T12:00, in UTC unless it "
            "names its zone.",
        ),
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show evaluated windows: verdict and sentence of each; with --end or --json also the numbers of every column.

    `at least` is how much PSI is proven (nothing where it passed no tier). The true KS distance lies between `KS` and
    `KS max`. `overdispersion` is the column's variance without any drift, as a multiple of sampling's.

    Further statistics are computed when the spec asks for them (`drift.statistics`).
    """
    key = ModelKey(namespace, model)
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        if key not in (known := known_models(connection)):
            listed = ", ".join(map(str, known)) or "none; see `driftline apply`"
            raise WrongUseError(f"model {key}: expected one that is applied, found: {listed}")
        shown = shown_evaluations(
            connection,
            key,
            version=version,
            segment=_segment(segment),
            length=_length(scale),
            window_end=_moment(end),
            limit=limit,
        )
    if as_json:
        print_json({"model": str(key), "evaluations": [_document(value) for value in shown]})
        return
    _print_list(shown)
    if end is not None:
        for value in shown:
            _print_columns(value)


def _document(evaluation: ShownEvaluation) -> dict[str, object]:
    head = {field.name: getattr(evaluation, field.name) for field in fields(evaluation) if field.name != "result"}
    # As stored: what is not there was 0, empty or not measured.
    return {**head, **msgspec.to_builtins(evaluation.result)}


def _print_list(evaluations: tuple[ShownEvaluation, ...]) -> None:
    print_table(
        "Evaluated windows",
        ("version", "scale", "until (UTC)", "revision", "events", "verdict"),
        [
            (
                value.version,
                span_text(value.length),
                moment(value.window_end),
                value.revision,
                value.result.events,
                value.result.verdict,
            )
            for value in evaluations
        ],
        notes=[value.result.sentence for value in evaluations],
        empty="none; look at `driftline status` how far evaluation has come",
    )


def _print_columns(evaluation: ShownEvaluation) -> None:
    columns = evaluation.result.columns
    asked = [
        name
        for name in _FURTHER
        if any(column.further and getattr(column.further, name) is not None for column in columns)
    ]
    headings = ("column", "values", "PSI", "at least", "KS", "KS max", "overdispersion", "missing", "invalid", "unseen")
    print_table(
        f"{evaluation.version}, {span_text(evaluation.length)} until {moment(evaluation.window_end)}",
        (*headings, *(_FURTHER[name] for name in asked)),
        [(*_numbers(column), *_further(column.further, asked)) for column in columns],
        notes=[
            f"not judged: {column.inconclusive.replace('_', ' ')}" if column.inconclusive else "" for column in columns
        ],
        empty=f"no numbers: {evaluation.result.reason.replace('_', ' ')}",
    )


def _numbers(column: ColumnResult) -> tuple[object, ...]:
    ks_max = None if column.ks is None or column.ks_bound is None else column.ks + column.ks_bound
    measured = (column.psi, column.psi_low, column.ks, ks_max)
    return (
        column.name,
        column.n,
        *(_decimal(value) for value in measured),
        None if column.phi is None else f"x{column.phi:.1f}",
        *(_decimal(value) for value in (column.missing, column.invalid, column.unseen)),
    )


def _further(statistics: FurtherStatistics | None, asked: list[str]) -> list[object]:
    values = [None if statistics is None else getattr(statistics, name) for name in asked]
    return [
        f"{value:.2g}" if name == "chi_squared_p" and value is not None else _decimal(value)
        for name, value in zip(asked, values, strict=True)
    ]


def _decimal(value: float | None) -> object:
    return value if value is None or isinstance(value, int) else f"{value:.4f}"


def _segment(text: str | None) -> tuple[str, str]:
    if text is None:
        return (ALL_SEGMENT, ALL_SEGMENT)
    tag, equals, value = text.partition("=")
    if not (tag and equals and value):
        raise WrongUseError(f"--segment: expected a tag and its value like region=eu, found {text!r}")
    return (tag, value)


def _length(text: str | None) -> int | None:
    try:
        return None if text is None else minutes(parse_duration(text))
    except ValueError as error:
        raise WrongUseError(f"--scale: {error}") from error


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"--end: expected a time like 2026-06-01T12:00, found {text!r}") from error
    return to_millis(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))

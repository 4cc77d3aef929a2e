"""`driftline backtest`: what a spec would have raised on past predictions, before it goes live."""

from pathlib import Path
from typing import Annotated

import typer

from driftline.backtest import BacktestDatabase, BacktestOutcome, backtest_history
from driftline.backtest.page import page_of
from driftline.backtest.report.build import report_of
from driftline.backtest.report.schema import encode_report
from driftline.cli import options
from driftline.cli.backtest_input import BacktestInput, BacktestRequest, TruthOptions, read_input
from driftline.cli.backtest_text import print_report
from driftline.cli.exit_codes import WrongUseError, leave_by_exception
from driftline.cli.files import named_files
from driftline.cli.output import AsJson, PlainConsole, print_json_document, print_line, progress_bar
from monitor.clock import iso_utc
from monitor.logs import configure_logging
from monitor.spec.model import DriftRule


def backtest(
    spec: options.SpecFile,
    data: options.PredictionsFile,
    timestamp: Annotated[
        str | None, typer.Option(help="Column with the event times; default the only column of times.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="Column with the prediction id; for truths, and to count repeats once.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Column with each row's model version; default all rows are of one.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="Column with the score; default prediction.score or score.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the predicted label; default likewise.")] = None,
    value: Annotated[str | None, typer.Option(help="Column with the predicted number; default likewise.")] = None,
    latency: Annotated[str | None, typer.Option(help="Column with the latency in ms; counted, never judged.")] = None,
    truths: options.TruthsFile = None,
    truth: options.TruthColumn = None,
    truth_known: Annotated[str | None, typer.Option(help="Column with when each truth was known.")] = None,
    truth_delay: Annotated[
        str | None, typer.Option(help="How long after its prediction a truth was known: 6h, 2d.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Only rows from this time on: 2026-06-01.")] = None,
    stop: Annotated[str | None, typer.Option("--to", help="Only rows before this time.")] = None,
    textbook: Annotated[
        bool, typer.Option("--textbook/--no-textbook", help="Judge every window by the textbook rule too.")
    ] = True,
    html: Annotated[
        Path | None, typer.Option(help="Where to write the page; default SPEC.backtest.html, next to the spec.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the JSON document; default SPEC.backtest.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a spec would have raised on past predictions: when, why, and how many pages a week.

    History runs through the same counting, windows, rule and incidents as live events, on a Postgres that lives in
    a temporary directory for as long as this takes. No Kafka and no server are needed, nothing is sent anywhere. The
    textbook rule (PSI over 0.1, 0.2, 0.3 or a KS p-value under 0.05) judges the same windows for comparison.

    Example: `driftline backtest fraud.yaml --data june.parquet --timestamp at`

    Exit code 2: spec, reference, table or an option cannot be used; every problem is listed.
    """
    document = out or spec.with_suffix(".backtest.json")
    page = html or spec.with_suffix(".backtest.html")
    _require_places(document, page, inputs=(spec, data, *([truths] if truths else [])))
    configure_logging(level="warning")
    leave_by_exception()
    given = read_input(
        BacktestRequest(
            spec=spec,
            data=data,
            timestamp=timestamp,
            identity=identity,
            version=version,
            score=score,
            label=label,
            value=value,
            latency=latency,
            truths=TruthOptions(file=truths, truth=truth, known=truth_known, delay=truth_delay),
            start=start,
            stop=stop,
        )
    )
    outcome = _play(given, textbook=textbook and given.spec.drift.rule is not DriftRule.TEXTBOOK, quiet=as_json)
    report = report_of(outcome, spec=given.spec, profile=given.profile, source=data.name)
    encoded = encode_report(report)
    with named_files():
        document.write_bytes(encoded)
        page.write_text(page_of(report), encoding="utf-8")
    if as_json:
        print_json_document(encoded.decode())
    else:
        print_report(report, PlainConsole())
        print_line(f"Wrote {page} and {document}.")


def _require_places(*places: Path, inputs: tuple[Path, ...]) -> None:
    """Refuse at once what would be refused after a minute of work."""
    for place in places:
        if not place.parent.is_dir():
            raise WrongUseError(f"{place}: expected a directory to write into, found none at {place.parent}")
        if place.is_dir() or place.resolve() in {path.resolve() for path in inputs}:
            raise WrongUseError(
                f"{place}: expected a file to write to, found {'a directory' if place.is_dir() else 'an input'}"
            )
    if len({place.resolve() for place in places}) < len(places):
        raise WrongUseError(f"--html and --out: expected two files, found {places[0]} twice")


def _play(given: BacktestInput, *, textbook: bool, quiet: bool) -> BacktestOutcome:
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("starting a Postgres", total=len(given.history.times))
        with BacktestDatabase() as database, database.fresh() as url:
            return backtest_history(
                url,
                spec=given.spec,
                profile=given.profile,
                history=given.history,
                truths=given.truths,
                textbook=textbook,
                on_progress=lambda rows, at: bar.update(task, completed=rows, description=iso_utc(at)),
            )

"""Options that several commands have, each declared once, and what they read."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from driftline.cli.exit_codes import WrongUseError
from monitor.clock import to_millis
from monitor.errors import SpecError
from monitor.reference.checks import disagreements
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.reference.rows import importance_problems, importance_shares
from monitor.settings import Settings
from monitor.spec.model import ModelSpec, Task
from monitor.store.engine import StatementLimits, make_engine, require_database
from monitor.store.migrate import require_current_schema
from monitor.store.outage import named_outage
from monitor.units import millis, parse_duration

_HEADER = ["column", "importance"]

SpecFile = Annotated[Path, typer.Argument(help="The model spec, a YAML file as `driftline init` writes it.")]
ModelName = Annotated[str, typer.Argument(help="The model's name, or NAMESPACE/NAME.")]
Namespace = Annotated[str, typer.Option(help="Project and environment, as in the events.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many, newest first.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]

PREDICTIONS_HELP = "Parquet or CSV file with past predictions, one a row."
PredictionsFile = Annotated[Path, typer.Option(help=PREDICTIONS_HELP)]
TruthsFile = Annotated[Path | None, typer.Option(help="File with the truths, if not in the same one.")]
ScoreColumn = Annotated[str | None, typer.Option(help="Column with the predicted score, 0 to 1.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column with the predicted label.")]
ValueColumn = Annotated[str | None, typer.Option(help="Column with the predicted number (regression).")]
TruthColumn = Annotated[str | None, typer.Option(help="Column with what turned out to be true.")]
TruthTimes = Annotated[
    str | None,
    typer.Option(
        "--truth-time",
        help="Column with when the truth was known: young windows are compared with truths as young.",
    ),
]
ReferenceTimes = Annotated[
    str | None, typer.Option(help="Column with the event times; without it no natural movement of columns is known.")
]
ReferenceIdentity = Annotated[
    str | None, typer.Option("--id", help="Column with the prediction id, no feature; rows that repeat one count once.")
]
Weights = Annotated[
    str | None, typer.Option(help="Column with row weights; the rows are worth as many as Kish's effective size says.")
]
CellsOf = Annotated[
    str | None,
    typer.Option(
        help="Count on the cells of this reference (an id, a profile file, a model) and choose none: for the reference "
        "of a new version's prediction, which `driftline reference adopt --version` takes."
    ),
]
Importance = Annotated[
    list[str] | None, typer.Option(help="COLUMN=NUMBER, or a JSON or CSV file of column and importance; repeatable.")
]

proposed = partial(typer.Option, rich_help_panel="The proposed spec")
Timezone = Annotated[str, proposed(help="IANA time zone whose hours of the day columns follow, as Europe/Berlin.")]
ProposedTask = Annotated[Task | None, proposed(help="What the model predicts; guessed when left out.")]
Positive = Annotated[str | None, proposed(help="The label that counts as positive; 1, true, yes guessed.")]
Ignored = Annotated[list[str] | None, proposed(help="Columns to leave out: a,b,c; may be repeated.")]
Codes = Annotated[list[str] | None, proposed(help="Numbers to count as categories (codes): a,b,c; may be repeated.")]
Scales = Annotated[str | None, proposed(help="Windows as length/step: 10m/1m,1h/5m; default six from 10m to 7d.")]
Drop = Annotated[bool, proposed("--drop", help="Leave out columns that cannot be counted.")]


@contextmanager
def opened_database(settings: Settings) -> Iterator[Engine]:
    """Give an engine on a database that answers and has this program's schema.

    Raises:
        UnavailableError: No answer, at first or later; says where and what to do.
        RefusedByDatabaseError: A statement of the command is refused.
        SchemaVersionError: Another schema; says which and what to do.
    """
    limits = StatementLimits(statement_seconds=settings.statement_timeout_seconds)
    engine = make_engine(settings.database_url, pool_size=1, limits=limits)
    try:
        require_database(engine)
        with named_outage(engine, "running this command"):
            require_current_schema(engine)
            yield engine
    finally:
        engine.dispose()


def moment_option(option: str, text: str | None) -> int | None:
    """Return epoch milliseconds of a time with its zone, None for None.

    Raises:
        WrongUseError: Not a time, or without a zone.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"{option}: expected a time like 2026-06-01T00:00:00Z, found {text!r}") from error
    if moment.tzinfo is None:
        raise WrongUseError(f"{option}: expected a time with its zone, like 2026-06-01T00:00:00Z, found {text!r}")
    return to_millis(moment)


def span_option(option: str, text: str | None) -> int | None:
    """Return the milliseconds of a span like 5m, None for None.

    Raises:
        WrongUseError: Not a span.
    """
    if text is None:
        return None
    try:
        return millis(parse_duration(text))
    except ValueError as error:
        raise WrongUseError(f"{option}: {error}") from error


def read_importance(given: list[str] | None, *, features: tuple[str, ...]) -> dict[str, float]:
    """Return the importance of features as shares; a later option wins over an earlier one.

    Raises:
        SpecError: A file cannot be read, or entries name no feature or are no number of 0 or more; all at once.
        WrongUseError: An option is neither COLUMN=NUMBER nor a file.
    """
    raw: dict[str, float] = {}
    for argument in given or ():
        name, separator, number = argument.rpartition("=")
        if separator and not Path(argument).is_file():
            raw[name] = _number(number, f"--importance {argument}")
        else:
            raw |= _read_file(Path(argument))
    if problems := importance_problems(raw, features=features):
        raise SpecError("--importance", problems)
    return importance_shares(raw)


def _number(text: object, place: str) -> float:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise WrongUseError(f"{place}: expected a number, found {text!r}")
    try:
        return float(text)
    except ValueError as error:
        raise WrongUseError(f"{place}: expected a number, found {text!r}") from error


def _read_file(path: Path) -> dict[str, float]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise WrongUseError(
            f"--importance {path}: expected COLUMN=NUMBER or a JSON or CSV file, found: {problem}"
        ) from error
    pairs = _from_json(text, path) if path.suffix.lower() == ".json" else _from_csv(text, path)
    return {name: _number(number, f"{path}: {name}") for name, number in pairs.items()}


def _from_json(text: str, path: Path) -> dict[str, object]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise WrongUseError(f"{path}: expected JSON, found: {error}") from error
    if isinstance(document, list) and all(isinstance(entry, dict) and {*_HEADER} <= entry.keys() for entry in document):
        return {str(entry["column"]): entry["importance"] for entry in document}
    if isinstance(document, dict):
        return document
    raise WrongUseError(f'{path}: expected {{"column": 0.3, …}} or [{{"column": …, "importance": …}}, …]')


def _from_csv(text: str, path: Path) -> dict[str, object]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if not rows or [cell.strip() for cell in rows[0]] != _HEADER or any(len(r) != 2 for r in rows):
        raise WrongUseError(f"{path}: expected the header column,importance and two fields a line")
    return {name.strip(): number.strip() for name, number in rows[1:]}


def read_spec_text(path: Path) -> str:
    """Return the text of the spec file at *path*.

    Raises:
        SpecError: The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else f"another kind of file ({error})"
        problem = f"expected a YAML file in UTF-8, found: {cause}; `driftline init` writes one"
        raise SpecError(str(path), (problem,)) from error


def read_reference(path: Path, spec: ModelSpec) -> ReferenceProfile:
    """Return the profile that *spec*, the file at *path*, names relative to itself.

    Raises:
        SpecError: It cannot be read, is no profile, or does not agree with the spec; every problem is named.
    """
    place = path.parent / spec.reference
    try:
        encoded = place.read_bytes()
    except OSError as error:
        problem = f"reference: expected a profile at {place}, found: {error.strerror}; `driftline init` writes one"
        raise SpecError(str(path), (problem,)) from error
    profile = decode_profile(encoded, source=str(place))
    if problems := disagreements(spec, profile):
        raise SpecError(str(path), problems)
    return profile

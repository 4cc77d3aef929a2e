"""Reads `--importance`: COLUMN=NUMBER, or a JSON or CSV file of columns and numbers."""

import csv
import json
from pathlib import Path

from driftline.cli.exits import WrongUseError
from monitor.errors import SpecError
from monitor.reference.rows import importance_problems, importance_shares

_HEADER = ["column", "importance"]
IMPORTANCE_HELP = "COLUMN=NUMBER, or a JSON or CSV file of column and importance; may be repeated."


def read_importance(given: list[str] | None, *, features: tuple[str, ...]) -> dict[str, float]:
    """Return the importance of features as shares; a later option wins over an earlier one.

    Raises:
        SpecError: A file cannot be read, or entries name no feature or are no number of 0 or more; all at once.
        WrongUseError: An option is neither COLUMN=NUMBER nor a file.
    """
    raw: dict[str, float] = {}
    for each in given or ():
        name, separator, number = each.rpartition("=")
        if separator and not Path(each).is_file():
            raw[name] = _number(number, f"--importance {each}")
        else:
            raw |= _read_file(Path(each))
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
        found = error.strerror if isinstance(error, OSError) else error
        raise WrongUseError(
            f"--importance {path}: expected COLUMN=NUMBER or a JSON or CSV file, found: {found}"
        ) from error
    pairs = _from_json(text, path) if path.suffix.lower() == ".json" else _from_csv(text, path)
    return {name: _number(number, f"{path}: {name}") for name, number in pairs.items()}


def _from_json(text: str, path: Path) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise WrongUseError(f"{path}: expected JSON, found: {error}") from error
    if isinstance(found, list) and all(isinstance(each, dict) and {*_HEADER} <= each.keys() for each in found):
        return {str(each["column"]): each["importance"] for each in found}
    if isinstance(found, dict):
        return found
    raise WrongUseError(f'{path}: expected {{"column": 0.3, …}} or [{{"column": …, "importance": …}}, …]')


def _from_csv(text: str, path: Path) -> dict[str, object]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    if not rows or [cell.strip() for cell in rows[0]] != _HEADER or any(len(r) != 2 for r in rows):
        raise WrongUseError(f"{path}: expected the header column,importance and two fields a line")
    return {name.strip(): number.strip() for name, number in rows[1:]}

"""What the columns of a table are when the spec is written already."""

from dataclasses import dataclass

from monitor.reference.description import PREDICTION_PREFIX, ReferenceDescription
from monitor.spec import ModelSpec
from monitor.types import Season


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumns:
    """Names in the table of what is no feature; None where nothing was said."""

    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    timestamp: str | None = None


def spec_description(
    spec: ModelSpec, columns: TableColumns, *, known: tuple[str, ...]
) -> tuple[ReferenceDescription, tuple[str, ...]]:
    """Return the description of a table with the columns *known*, and the problems that it has.

    Features have the names of the spec. A part of the prediction that the spec counts and *columns* does not name is
    in the column ``prediction.score`` or ``score`` (label, value).
    """
    problems: list[str] = []

    def part(name: str, *, counted: bool, said: str | None) -> str | None:
        if not counted:
            if said is not None:
                problems.append(f"--{name} {said}: expected none, for the spec says prediction.{name}: false")
            return None
        found = said or next((each for each in (PREDICTION_PREFIX + name, name) if each in known), None)
        if found is None:
            problems.append(f"--{name}: expected the column with the prediction's {name}, found none")
        return found

    description = ReferenceDescription(
        features=tuple((name, column.kind) for name, column in spec.columns.items()),
        score=part("score", counted=spec.prediction.score, said=columns.score),
        label=part("label", counted=spec.prediction.label, said=columns.label),
        value=part("value", counted=spec.prediction.value, said=columns.value),
        truth=columns.truth,
        timestamp=columns.timestamp,
        lengths=tuple(each.length for each in spec.scales),
        threshold=spec.prediction.threshold,
        positive=spec.truth.positive,
        negative=spec.truth.negative,
        season=Season.HOUR_OF_WEEK if spec.drift.seasonality == "hour_of_week" else Season.HOUR_OF_DAY,
    )
    problems += [
        f"column {name!r}: expected one of {', '.join(known)}; found none"
        for name in description.sources
        if name not in known
    ]
    return description, tuple(problems)

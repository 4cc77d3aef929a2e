"""Two sides of the same facts: what is missing, what is too much, what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.panes import Counted, PaneKey
from tests.oracle.truths import CountedTruths

EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One kind of fact.

    Attributes:
        expected, actual: How many there are in the recount, in the database.
        lost, doubled: How many the database lacks, and has without a cause in the topics.
        differing: How many are there on both sides but not equal.
    """

    what: str
    expected: int
    actual: int
    lost: int
    doubled: int
    differing: int = 0
    examples: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        return self.lost == self.doubled == self.differing == 0


def compare_predictions(expected: Counted, stored: Counted) -> list[Compared]:
    """Compare what was made of the predictions' topics; panes of equal spans."""
    return [
        _records("records of predictions", expected.partitions, stored.partitions),
        _events(expected.panes, stored.panes),
        compare_rows("pane counts, by the hour", expected.panes, stored.panes),
        compare_rows("sampled predictions", expected.ledger, stored.ledger),
        compare_rows("unseen values", expected.unseen, stored.unseen),
    ]


def compare_truths(expected: CountedTruths, stored: CountedTruths) -> list[Compared]:
    """Compare what was made of the truths' and the deployments' topics."""
    return [
        _records("records of truths and deployments", expected.partitions, stored.partitions),
        compare_rows("truths in force", expected.truths, stored.truths),
        compare_rows("joined predictions", expected.joined, stored.joined),
        compare_rows("accuracy panes", expected.performance, stored.performance),
        compare_rows("deployments", expected.deployments, stored.deployments),
    ]


def compare_counts(what: str, expected: Mapping[str, int], stored: Mapping[str, int]) -> Compared:
    """Compare numbers by name; lost and doubled are sums over the names."""
    short = {name: expected.get(name, 0) - stored.get(name, 0) for name in expected.keys() | stored.keys()}
    return Compared(
        what=what,
        expected=sum(expected.values()),
        actual=sum(stored.values()),
        lost=sum(count for count in short.values() if count > 0),
        doubled=-sum(count for count in short.values() if count < 0),
        examples=tuple(f"{name}: {count:+,} short" for name, count in sorted(short.items()) if count),
    )


def compare_windows(expected: Mapping[Any, Any], stored: Mapping[Any, Any]) -> Compared:
    """Compare the last revision of each window."""
    return compare_rows("windows judged", expected, stored)


def _records(what: str, expected: Mapping[Any, Mapping[str, Any]], stored: Mapping[Any, Mapping[str, Any]]) -> Compared:
    """Compare the partitions' rows; lost and doubled are records."""
    wanted = {place: row["records"] for place, row in expected.items()}
    result = {place: row["records"] for place, row in stored.items()}
    places = wanted.keys() | result.keys()
    short = {place: wanted.get(place, 0) - result.get(place, 0) for place in places}
    unequal = sorted(place for place in places if expected.get(place) != stored.get(place))
    examples = [f"{place}: recounted {expected.get(place)}, stored {stored.get(place)}" for place in unequal[:EXAMPLES]]
    return Compared(
        what=what,
        expected=sum(wanted.values()),
        actual=sum(result.values()),
        lost=sum(count for count in short.values() if count > 0),
        doubled=-sum(count for count in short.values() if count < 0),
        differing=len(unequal),
        examples=tuple(examples),
    )


def _events(expected: Mapping[PaneKey, Mapping[Any, int]], stored: Mapping[PaneKey, Mapping[Any, int]]) -> Compared:
    """Compare the counted events of whole series."""
    wanted = {key: counts["events"] for key, counts in expected.items() if key[2] == ""}
    counted = {key: counts["events"] for key, counts in stored.items() if key[2] == ""}
    short = [wanted.get(key, 0) - counted.get(key, 0) for key in wanted.keys() | counted.keys()]
    return Compared(
        what="events counted",
        expected=sum(wanted.values()),
        actual=sum(counted.values()),
        lost=sum(count for count in short if count > 0),
        doubled=-sum(count for count in short if count < 0),
    )


def compare_rows(what: str, expected: Mapping[Any, Any], stored: Mapping[Any, Any]) -> Compared:
    """Compare facts by their place or key."""
    lost, doubled = expected.keys() - stored.keys(), stored.keys() - expected.keys()
    unequal = [key for key in expected.keys() & stored.keys() if expected[key] != stored[key]]
    examples = (
        [f"only recounted: {key}: {_short(expected[key])}" for key in sorted(lost)[:EXAMPLES]]
        + [f"only stored: {key}: {_short(stored[key])}" for key in sorted(doubled)[:EXAMPLES]]
        + [
            f"{key}: recounted {_short(expected[key])}, stored {_short(stored[key])}"
            for key in sorted(unequal)[:EXAMPLES]
        ]
    )
    return Compared(
        what=what,
        expected=len(expected),
        actual=len(stored),
        lost=len(lost),
        doubled=len(doubled),
        differing=len(unequal),
        examples=tuple(examples),
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else text[:297] + "..."

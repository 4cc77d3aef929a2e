"""The promise on false warnings of accuracy: how often a model is judged, and how likely one look may be wrong."""

from collections.abc import Sequence

from monitor.spec.accuracy import AccuracySpec
from monitor.types import Scale
from monitor.units import DAY_MINUTES

YEAR_MINUTES = 365 * DAY_MINUTES

VERSIONS_AT_ONCE = 2
"""A stable version and a canary; with more of them the figure grows in proportion."""


def looks_a_year(scales: Sequence[Scale]) -> int:
    """Return how many windows of all *scales* end in a year."""
    return sum(YEAR_MINUTES // scale.step for scale in scales)


def chance_of_a_look(spec: AccuracySpec, scales: Sequence[Scale]) -> float:
    """Return how likely one test may prove something false in one window of one version, while nothing has changed.

    All looks of all scales share the promise equally: their chances add up to it whatever they have in common. The
    tiers of a drop are one test, for what proves a higher one proves the lowest; a floor is another.
    """
    tests = max(1, (spec.floor is not None) + (spec.drop is not None))
    return min(1.0, spec.false_alarms_per_year / (looks_a_year(scales) * VERSIONS_AT_ONCE * tests))


def expected_false_warnings_a_year(spec: AccuracySpec, scales: Sequence[Scale], *, versions: int = 1) -> float:
    """Return how many false warnings of accuracy a year may bring at most while accuracy is what it was.

    Args:
        versions: That serve at once.
    """
    tests = (spec.floor is not None) + (spec.drop is not None)
    return chance_of_a_look(spec, scales) * looks_a_year(scales) * versions * tests

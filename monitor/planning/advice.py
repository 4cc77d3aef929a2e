"""What to change, each with its figures: everything that keeps a spec from seeing what it is meant to see."""

from monitor.planning.advice_columns import column_advice
from monitor.planning.advice_family import family_advice
from monitor.planning.advice_reference import reference_advice
from monitor.planning.advice_scales import scale_advice
from monitor.planning.answers import Advice
from monitor.planning.situation import Situation


def advice_of(situation: Situation) -> tuple[Advice, ...]:
    """Return all advice, what matters most first; empty when there is nothing to improve."""
    return (
        *scale_advice(situation),
        *reference_advice(situation),
        *column_advice(situation),
        *family_advice(situation),
    )

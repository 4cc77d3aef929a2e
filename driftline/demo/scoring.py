"""The credit model in its two versions, and what the applicants turn out to do."""

import numpy as np
import numpy.typing as npt

from driftline.demo.applicants import (
    INCOME_MEDIAN,
    INCOME_SPREAD,
    LOAN_MEDIAN,
    LOAN_SPREAD,
    Applicants,
    Floats,
)

THRESHOLD = 0.5
POSITIVE, NEGATIVE = "default", "repaid"
_EMPLOYMENT = {"employed": 0.0, "self_employed": 0.3, "retired": -0.2, "unemployed": 0.9}


def default_probability(who: Applicants) -> Floats:
    """Return each applicant's true probability of default; version 3.2.0 knows it exactly."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=-0.8))


def stable_score(who: Applicants, *, income_known: npt.NDArray[np.bool_]) -> Floats:
    """Return the scores of version 3.2.0; an unknown income counts as the median one."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=-0.8, income_known=income_known))


def canary_score(who: Applicants) -> Floats:
    """Return the scores of version 3.3.0, trained with the history's sign turned round and the intercept lost."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=0.8) + 2.3)


def labels(scores: Floats) -> npt.NDArray[np.str_]:
    """Return what the scores mean."""
    return np.where(scores >= THRESHOLD, POSITIVE, NEGATIVE)


def outcomes(random: np.random.Generator, who: Applicants) -> npt.NDArray[np.str_]:
    """Return what each applicant did in the end."""
    return np.where(random.random(len(who.times)) < default_probability(who), POSITIVE, NEGATIVE)


def _logit(
    who: Applicants,
    *,
    debt_weight: float,
    history_weight: float,
    income_known: npt.NDArray[np.bool_] | None = None,
) -> Floats:
    income = (np.log(who.income) - np.log(INCOME_MEDIAN)) / INCOME_SPREAD
    if income_known is not None:
        income = np.where(income_known, income, 0.0)
    loan = (np.log(np.maximum(who.loan_amount, 1.0)) - np.log(LOAN_MEDIAN)) / LOAN_SPREAD
    employment = np.array([_EMPLOYMENT[each] for each in who.employment.tolist()])
    found: Floats = (
        -2.1
        - 0.15 * income
        + debt_weight * (who.debt_ratio - 0.286) / 0.16
        + 0.3 * loan
        + history_weight * (who.history_months - 61.6) / 41.5
        - 0.15 * (who.age - 42) / 12
        + employment
    )
    return found


def _sigmoid(values: Floats) -> Floats:
    return np.round(1 / (1 + np.exp(-values)), 6)

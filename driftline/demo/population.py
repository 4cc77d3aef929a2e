"""The demo's applicants, their scores and what becomes of them."""

from dataclasses import dataclass

import numpy as np

from driftline.demo.acts import TimeLine
from monitor.arrays import Float64s, Int64s, Mask, Strings
from monitor.units import DAY_MILLIS, MINUTE_MILLIS

EVENTS_PER_MINUTE = 3.6
INCOME_MEDIAN, INCOME_SPREAD = 3200.0, 0.45
LOAN_MEDIAN, LOAN_SPREAD = 9000.0, 0.6
INCOME_FALL = 1.1  # at the bottom, in spreads
PURPOSES = {"car": 0.34, "furniture": 0.22, "home": 0.18, "education": 0.14, "other": 0.12}
REGIONS = {"north": 0.28, "south": 0.31, "east": 0.17, "west": 0.24}
EMPLOYMENTS = {"employed": 0.68, "self_employed": 0.15, "retired": 0.1, "unemployed": 0.07}

THRESHOLD = 0.5
RECALIBRATION = 2.0
POSITIVE, NEGATIVE = "default", "repaid"
_EMPLOYMENT = {"employed": 0.0, "self_employed": 0.3, "retired": -0.2, "unemployed": 0.9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicants:
    """One array per column, shape ``(applicants,)``, in order of time (epoch ms)."""

    times: Int64s
    income: Float64s
    debt_ratio: Float64s
    age: Int64s
    loan_amount: Float64s
    history_months: Int64s
    purpose: Strings
    region: Strings
    employment: Strings


def daylight(times: Int64s) -> Float64s:
    """Return where each time stands in its day: -1 at 2 in the morning, 1 at 2 in the afternoon (UTC)."""
    return np.sin(2 * np.pi * ((times % DAY_MILLIS) / DAY_MILLIS - 8 / 24))


def arrivals(random: np.random.Generator, *, start: int, end: int) -> Int64s:
    """Return when applications come in: a Poisson process, three times as busy by day as by night."""
    minutes = np.arange(start, end, MINUTE_MILLIS, dtype=np.int64)
    counts = random.poisson(EVENTS_PER_MINUTE * (1 + 0.5 * daylight(minutes)))
    times = np.repeat(minutes, counts) + random.integers(0, MINUTE_MILLIS, int(counts.sum()))
    times.sort()
    return times


def income_fall(times: Int64s, line: TimeLine) -> Float64s:
    """Return how far incomes have fallen at each time, in spreads: a slow ramp down, a plateau, back again."""
    corners = (line.ramp_start, line.ramp_end, line.fade_start, line.fade_end)
    return np.interp(times, corners, (0.0, INCOME_FALL, INCOME_FALL, 0.0))


def draw_applicants(random: np.random.Generator, *, start: int, end: int, line: TimeLine) -> Applicants:
    """Return everybody who applies in ``[start, end)``."""
    times = arrivals(random, start=start, end=end)
    count, sun = len(times), daylight(times)
    income = np.exp(
        np.log(INCOME_MEDIAN) + INCOME_SPREAD * (random.standard_normal(count) + 0.08 * sun - income_fall(times, line))
    )
    loan = np.exp(np.log(LOAN_MEDIAN) + LOAN_SPREAD * (random.standard_normal(count) + 0.06 * sun))
    return Applicants(
        times=times,
        income=np.round(income, 2),
        debt_ratio=np.round(random.beta(2, 5, count), 4),
        age=np.clip(np.rint(random.normal(42 + 1.5 * sun, 12)), 18, 80).astype(np.int64),
        loan_amount=np.round(loan, -1),
        history_months=np.rint(random.gamma(2.2, 28, count)).astype(np.int64),
        purpose=_choices(random, PURPOSES, count),
        region=_choices(random, REGIONS, count),
        employment=_choices(random, EMPLOYMENTS, count),
    )


def _choices(random: np.random.Generator, shares: dict[str, float], count: int) -> Strings:
    return random.choice(np.array(list(shares)), count, p=list(shares.values()))


def default_probability(who: Applicants) -> Float64s:
    """Return each applicant's true probability of default; version 3.2.0 knows it exactly."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=-0.8))


def stable_score(who: Applicants, *, income_known: Mask) -> Float64s:
    """Return the scores of version 3.2.0; an unknown income counts as the median one."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=-0.8, income_known=income_known))


def recalibrated_score(who: Applicants) -> Float64s:
    """Return the scores of version 3.3.0: those of 3.2.0 pushed away from the threshold, so every label is the same."""
    return _sigmoid(RECALIBRATION * _logit(who, debt_weight=1.1, history_weight=-0.8))


def bad_score(who: Applicants) -> Float64s:
    """Return the scores of version 3.4.0, trained with the history's sign turned round and the intercept lost."""
    return _sigmoid(_logit(who, debt_weight=1.1, history_weight=0.8) + 2.3)


def labels(scores: Float64s) -> Strings:
    """Return what the scores mean."""
    return np.where(scores >= THRESHOLD, POSITIVE, NEGATIVE)


def outcomes(random: np.random.Generator, who: Applicants) -> Strings:
    """Return what each applicant did in the end."""
    return np.where(random.random(len(who.times)) < default_probability(who), POSITIVE, NEGATIVE)


def _logit(
    who: Applicants,
    *,
    debt_weight: float,
    history_weight: float,
    income_known: Mask | None = None,
) -> Float64s:
    income = (np.log(who.income) - np.log(INCOME_MEDIAN)) / INCOME_SPREAD
    if income_known is not None:
        income = np.where(income_known, income, 0.0)
    loan = (np.log(np.maximum(who.loan_amount, 1.0)) - np.log(LOAN_MEDIAN)) / LOAN_SPREAD
    employment = np.array([_EMPLOYMENT[value] for value in who.employment.tolist()])
    logit: Float64s = (
        -2.1
        - 0.15 * income
        + debt_weight * (who.debt_ratio - 0.286) / 0.16
        + 0.3 * loan
        + history_weight * (who.history_months - 61.6) / 41.5
        - 0.15 * (who.age - 42) / 12
        + employment
    )
    return logit


def _sigmoid(values: Float64s) -> Float64s:
    return np.round(1 / (1 + np.exp(-values)), 6)

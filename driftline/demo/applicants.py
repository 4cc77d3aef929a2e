"""Who applies for credit: arrivals with a daily cycle, and their features; the same seed gives the same people."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from driftline.demo.acts import DAY, TimeLine
from monitor.types import MINUTE_MILLIS

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Texts = npt.NDArray[np.str_]

EVENTS_PER_MINUTE = 3.6
INCOME_MEDIAN, INCOME_SPREAD = 3200.0, 0.45
LOAN_MEDIAN, LOAN_SPREAD = 9000.0, 0.6
INCOME_FALL = 1.1  # at the bottom, in spreads
PURPOSES = {"car": 0.34, "furniture": 0.22, "home": 0.18, "education": 0.14, "other": 0.12}
REGIONS = {"north": 0.28, "south": 0.31, "east": 0.17, "west": 0.24}
EMPLOYMENTS = {"employed": 0.68, "self_employed": 0.15, "retired": 0.1, "unemployed": 0.07}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicants:
    """One array per column, shape ``(applicants,)``, in order of time (epoch ms)."""

    times: Times
    income: Floats
    debt_ratio: Floats
    age: npt.NDArray[np.int64]
    loan_amount: Floats
    history_months: npt.NDArray[np.int64]
    purpose: Texts
    region: Texts
    employment: Texts


def daylight(times: Times) -> Floats:
    """Return where each time stands in its day: -1 at 2 in the morning, 1 at 2 in the afternoon (UTC)."""
    return np.sin(2 * np.pi * ((times % DAY) / DAY - 8 / 24))


def arrivals(random: np.random.Generator, *, start: int, end: int) -> Times:
    """Return when applications come in: a Poisson process, three times as busy by day as by night."""
    minutes = np.arange(start, end, MINUTE_MILLIS, dtype=np.int64)
    counts = random.poisson(EVENTS_PER_MINUTE * (1 + 0.5 * daylight(minutes)))
    times = np.repeat(minutes, counts) + random.integers(0, MINUTE_MILLIS, int(counts.sum()))
    times.sort()
    return times


def income_fall(times: Times, line: TimeLine) -> Floats:
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


def _choices(random: np.random.Generator, shares: dict[str, float], count: int) -> Texts:
    return random.choice(np.array(list(shares)), count, p=list(shares.values()))

"""Distributions of single columns, drawn with a seeded generator; in units of their own spread where they have one."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from monitor.arrays import Float32s

Draw = Callable[[np.random.Generator, int], Float32s]

CATEGORIES = ("amber", "blue", "coral", "denim", "ecru", "fawn", "gold", "hazel")
CATEGORY_SHARES = np.array([0.3, 0.2, 0.15, 0.12, 0.09, 0.07, 0.05, 0.02])
CATEGORY = "category"


def _normal(random: np.random.Generator, size: int) -> Float32s:
    return random.standard_normal(size, dtype=np.float32)


def _lognormal(random: np.random.Generator, size: int) -> Float32s:
    return np.exp(2.0 * _normal(random, size))


def _pareto(random: np.random.Generator, size: int) -> Float32s:
    return (1.0 + random.pareto(1.1, size)).astype(np.float32)


def _cauchy(random: np.random.Generator, size: int) -> Float32s:
    return random.standard_cauchy(size).astype(np.float32)


def _zeros(random: np.random.Generator, size: int) -> Float32s:
    return np.where(random.random(size) < 0.6, 0.0, np.exp(_normal(random, size))).astype(np.float32)


def _poisson(random: np.random.Generator, size: int) -> Float32s:
    return random.poisson(3.0, size).astype(np.float32)


def _rounded(random: np.random.Generator, size: int) -> Float32s:
    return np.round(_normal(random, size), 1)


def _few(random: np.random.Generator, size: int) -> Float32s:
    return random.choice(np.arange(5, dtype=np.float32), size, p=[0.55, 0.25, 0.12, 0.05, 0.03])


DISTRIBUTIONS: dict[str, Draw] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "pareto": _pareto,
    "cauchy": _cauchy,
    "zeros": _zeros,
    "poisson": _poisson,
    "rounded": _rounded,
    "few": _few,
}


def draw_categories(random: np.random.Generator, size: int) -> npt.NDArray[np.int8]:
    """Return shape ``(size,)``: indices into `CATEGORIES`."""
    edges = np.cumsum(CATEGORY_SHARES)[:-1]
    return np.searchsorted(edges, random.random(size), side="right").astype(np.int8)

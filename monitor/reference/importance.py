"""How much the model relies on each feature, as shares."""

import math
from collections.abc import Collection, Mapping


def importance_problems(raw: Mapping[str, float], *, features: Collection[str]) -> tuple[str, ...]:
    """Return each entry that cannot be used as ``importance of …: expected …, found …``; empty when all can."""
    known = ", ".join(features) or "none"
    problems = [
        f"importance of {name!r}: expected one of the features {known}; found none of that name"
        for name in raw
        if name not in features
    ]
    problems += [
        f"importance of {name!r}: expected a number of 0 or more, found {value:g}"
        for name, value in raw.items()
        if not (math.isfinite(value) and value >= 0.0)
    ]
    return tuple(problems)


def importance_shares(raw: Mapping[str, float]) -> dict[str, float]:
    """Return finite importances of 0 or more as shares of the model's importance.

    What adds up to more than 1 (gains, mean |SHAP|) is divided by its sum; shares, of some features or all, stay as
    they are.
    """
    total = math.fsum(raw.values())
    scale = total if total > 1.0 + 1e-9 else 1.0
    return {name: value / scale for name, value in raw.items()}

"""Numbers as the page shows them: to the digits that are remembered."""


def two_digits(value: float) -> str:
    """Return *value* as it is remembered; the last digits of a bisection are nobody's business."""
    return f"{float(f'{value:.2g}'):,.4g}" if value < 100 else f"{int(float(f'{value:.2g}')):,}"


def times(value: float) -> str:
    if value >= 100_000:
        return "never passed"
    return "under 0.1" if value < 0.1 else two_digits(value)


def rate(value: float) -> str:
    return "under 0.001" if value < 0.001 else two_digits(value)


def decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0")


def percent(share: float) -> str:
    return f"{100 * share:g} %"

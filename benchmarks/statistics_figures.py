"""The figures of docs/statistics.md: `python -m benchmarks.statistics_figures`, `--write` puts them into the page.

Each block of the page between `<!-- figures: NAME -->` and `<!-- end -->` is one function's answer; a test compares
them, so that the page cannot say what the code does not. The functions are those of `benchmarks.statistics_tables`.
"""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.moving_share_levels import moving_share_levels
from benchmarks.moving_share_proofs import moving_share_proofs
from benchmarks.statistics_tables.after_changes import accuracy, closing
from benchmarks.statistics_tables.defaults import defaults
from benchmarks.statistics_tables.error_rates import (
    dependent_truths,
    few_blocks,
    known_movement,
    long_windows,
    psi_levels,
    share_levels,
)
from benchmarks.statistics_tables.planned import (
    alarms,
    alpha,
    detection_delays,
    movement,
    rows_of_reference,
    shifts,
    traffic,
)

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
_BLOCK = re.compile(r"(<!-- figures: ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

FIGURES: dict[str, Callable[[], str]] = {
    "defaults": defaults,
    "shifts": shifts,
    "traffic": traffic,
    "movement": movement,
    "few blocks": few_blocks,
    "known movement": known_movement,
    "long windows": long_windows,
    "reference": rows_of_reference,
    "alpha": alpha,
    "alarms": alarms,
    "notice": detection_delays,
    "accuracy": accuracy,
    "share_levels": share_levels,
    "moving_share_levels": moving_share_levels,
    "moving_share_proofs": moving_share_proofs,
    "psi_levels": psi_levels,
    "dependent": dependent_truths,
    "closing": closing,
}


def with_figures(page: str) -> str:
    """Return *page* with every block as the code answers now.

    Raises:
        KeyError: A block has a name that is no figure's.
    """
    return _BLOCK.sub(lambda block: f"{block[1]}\n{FIGURES[block[2]]()}\n\n{block[3]}", page)


def blocks_of(page: str) -> tuple[str, ...]:
    """Return the names of the page's blocks, in order."""
    return tuple(name for _, name, _ in _BLOCK.findall(page))


def main() -> None:
    """Print every figure, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put them into {PAGE.name} instead of printing them")
    if parser.parse_args().write:
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, figure in FIGURES.items():
        print(f"{name}: {figure.__doc__}\n\n{figure()}\n")


if __name__ == "__main__":
    main()

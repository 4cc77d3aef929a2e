"""Tables of what follows a change: truths until a fall of accuracy is proven, time until an incident closes."""

import math
from functools import cache

from benchmarks.accuracy_figures import STEP_TRUTHS, WINDOW_STEPS, truths_until_proven
from benchmarks.closing_figures import COLUMNS, windows_until_closed
from benchmarks.figure_table import table

CHANGED = (1, 20, 100, 200)


@cache
def accuracy() -> str:
    """How many truths a fall of accuracy takes."""
    falls = (0.1, 0.15, 0.2, 0.3)
    rows = []
    for before, truths in ((0.9, 1000), (0.9, 10_000), (0.9, 1_000_000), (0.7, 10_000)):
        waits = (truths_until_proven(1.0 - before, 1.0 - before + fall, reference_truths=truths) for fall in falls)
        proven = ("not in these windows" if wait == math.inf else f"{wait:,.0f}" for wait in waits)
        rows.append((f"{before:g}", f"{truths:,}", *proven))
    return table(
        ("Accuracy before", "truths in the reference", *(f"down by {fall:g}" for fall in falls)),
        rows,
        note=f"Median truths after the change; windows of {WINDOW_STEPS} steps with {STEP_TRUTHS} truths each, the "
        "default warning and confidence.",
    )


def closing() -> str:
    """How long an incident stays open after its change has ended."""
    return table(
        ("Events a window", "Natural movement", *(f"{changed} changed" for changed in CHANGED)),
        [
            (
                f"{events:,}",
                "none" if overdispersion == 1.0 else f"×{overdispersion:g}",
                *(f"{windows_until_closed(events, overdispersion, changed):.1f}" for changed in CHANGED),
            )
            for events in (200, 300, 400, 6000)
            for overdispersion in (1.0, 3.0, 30.0)
        ],
        note=f"Median from the end of the change, in lengths of the window that held the incident; of {COLUMNS} columns"
        " so many moved by one standard deviation. How many others there are changes nothing.",
    )

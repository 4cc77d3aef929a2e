"""Counts in the form that both sides of a comparison can have: whole hours, and versions without a place together."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from monitor.types import OTHER_VERSIONS
from tests.oracle.panes import Counted, PaneKey


def coarser(counted: Counted, *, minutes: int) -> Counted:
    """Return *counted* with its panes summed over longer spans, as compaction may have left them."""
    span = minutes * 60_000
    panes: dict[PaneKey, Counter[int | str]] = {}
    for (*place, start), counts in counted.panes.items():
        panes.setdefault((*place, start // span * span), Counter()).update(counts)  # type: ignore[arg-type]
    return replace(counted, panes=panes)


def folded(counted: Counted, *, is_other: Callable[[str], bool]) -> Counted:
    """Return *counted* with the versions that are *is_other* put together as `other`.

    Which versions find a place of their own is up to which worker claims it first; what they come to together is not.
    """

    def name(version: str) -> str:
        return OTHER_VERSIONS if is_other(version) else version

    panes: dict[PaneKey, Counter[int | str]] = {}
    for (model_id, version, *place), counts in counted.panes.items():
        panes.setdefault((model_id, name(version), *place), Counter()).update(counts)  # type: ignore[arg-type]
    unseen: dict[tuple[int, str, str, int], Counter[str]] = {}
    for (model_id, version, column, hour), names in counted.unseen.items():
        unseen.setdefault((model_id, name(version), column, hour), Counter()).update(names)
    ledger = {place: (row[0], name(row[1]), *row[2:]) for place, row in counted.ledger.items()}
    return replace(counted, panes=panes, unseen=unseen, ledger=ledger)

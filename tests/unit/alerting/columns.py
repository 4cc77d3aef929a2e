"""Window facts of several columns, and the windows that real changes would show at several scales."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerting.incidents.observation import WindowObservation, worst_first
from monitor.types import IncidentKind, Statistic, Tier
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import T0, finding

Tiers = tuple[Tier, Tier]
SURE: Tiers = (Tier.CRITICAL, Tier.CRITICAL)


def minute(minutes: int) -> int:
    """Return so many minutes after `T0` in epoch milliseconds."""
    return T0 + minutes * MINUTE_MILLIS


def shows(
    end: int,
    bad: Mapping[str, Tier] | None = None,
    *,
    restless: Mapping[str, Tiers] | None = None,
    unjudged: Sequence[str] = (),
    moved: Sequence[str] = (),
    length: int = 10,
    step: int = 5,
    kind: IncidentKind = IncidentKind.DRIFT,
    statistic: Statistic = Statistic.PSI,
) -> WindowObservation:
    """Return what a window that ends *end* minutes after `T0` shows of several columns.

    Args:
        bad: Columns with an endured finding; they are restless up to its tier.
        restless: Others that are not calm: the tier that they hold, and the tier of their size.
    """
    bad = bad or {}
    findings = [finding(tier, column=column, kind=kind, statistic=statistic) for column, tier in bad.items()]
    held = {column: (tier, tier) for column, tier in bad.items()} | dict(restless or {})
    highest = max((tier for tier, _ in held.values()), default=Tier.NONE)
    return WindowObservation(
        end=minute(end),
        length=length,
        step=step,
        tier=max(bad.values(), default=Tier.NONE),
        calm=(highest < Tier.WARNING, highest < Tier.ALERT, highest < Tier.CRITICAL),
        findings=worst_first(findings),
        moved=tuple(moved),
        unjudged=frozenset(unjudged),
        restless=held,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One column's mean is *shift* standard deviations away from *start* to *stop* (minutes)."""

    start: int
    stop: int
    shift: float
    column: str = "income"


def windows_of(
    changes: Sequence[Change], *, lengths: Sequence[int], step: int, until: int
) -> Iterator[WindowObservation]:
    """Yield the windows in order of end up to *until* (minutes): each shows the PSI of its mean, without any noise."""
    columns = sorted({change.column for change in changes})
    for end in range(min(lengths), until + 1, step):
        for length in lengths:
            if end < length:
                continue
            psi = {column: _psi(changes, column, end - length, end) for column in columns}
            halves = {
                column: min(
                    _psi(changes, column, end - length, end - length / 2), _psi(changes, column, end - length / 2, end)
                )
                for column in columns
            }
            bad = {
                column: tier
                for column in columns
                if (tier := min(_tier(psi[column]), _tier(halves[column]))) is not Tier.NONE
            }
            restless = {column: (held, held) for column in columns if (held := _tier(psi[column] / 0.7))}
            yield shows(end, bad, restless=restless, length=length, step=step)


def _psi(changes: Sequence[Change], column: str, start: float, stop: float) -> float:
    mean = sum(
        change.shift * max(0.0, min(stop, change.stop) - max(start, change.start)) / (stop - start)
        for change in changes
        if change.column == column
    )
    return mean * mean


def _tier(psi: float) -> Tier:
    return Tier(sum(psi > tier for tier in (0.1, 0.2, 0.3)))

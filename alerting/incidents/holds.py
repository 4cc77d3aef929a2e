"""What holds an incident open: one column at one scale, each counting its own calm windows; pure."""

from collections.abc import Mapping

import msgspec

from alerting.incidents.observation import FINDINGS_KEPT, OF_VALUES, WindowObservation, worst_first
from alerting.incidents.recoveries import TIERS, RecoveredSince, Recoveries, recovered_since, tier_left
from monitor.results import Finding
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS


class CalmRun(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive disjoint conclusive windows in which a column was calm below one tier.

    Attributes:
        windows: How many, at least 1.
        since: Start of the first; *end*: end of the last (ms).
        by_size: Calm by its size alone in all of them.
    """

    windows: int
    since: int
    end: int
    by_size: bool


class ColumnHold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column that one scale still shows; of performance, the metric, whose name is empty.

    Attributes:
        tier: Tier it holds; a column that holds none is not kept.
        since: Its last finding is of data from here on (ms).
        of_values: A window with too few of its values says nothing about it.
        calm: By tier; only of tiers that it holds.
    """

    tier: Tier
    since: int
    of_values: bool = True
    calm: dict[int, CalmRun] = msgspec.field(default_factory=dict)


class ScaleHold(msgspec.Struct, frozen=True, kw_only=True):
    """What one scale still shows of the incident; it stays open while any scale holds a column.

    Attributes:
        tier: Highest tier of its columns.
        bad_end: End of its last window with a finding.
        columns: What holds it, by column; empty where the program before wrote it, see `columns_held`.
        findings: The last ones of the columns that hold it, worst first, at most `FINDINGS_KEPT`.
        moved: Of its last window with a finding, as in `WindowObservation`.
        calm, calm_ends: For the program before, which may have the incident next while both run: for each tier, calm
            windows of the column that has the fewest, and the end of the last.
    """

    tier: Tier
    bad_end: int
    calm: tuple[int, int, int] = (0, 0, 0)
    calm_ends: tuple[int, int, int] = (0, 0, 0)
    findings: tuple[Finding, ...] = ()
    moved: tuple[str, ...] = ()
    columns: dict[str, ColumnHold] = msgspec.field(default_factory=dict)

    def columns_held(self, length: int) -> dict[str, ColumnHold]:
        """Return what holds it, by column; from the findings where the program before wrote it.

        Args:
            length: Of the scale, in minutes.
        """
        if self.columns or not self.tier:
            return self.columns
        return _columns_of_before(self, length * MINUTE_MILLIS)


def after_window(hold: ScaleHold | None, facts: WindowObservation, *, close_after: int) -> ScaleHold | None:
    """Return the hold of the window's scale after it; None once nothing holds it.

    Args:
        facts: Without findings of time that a shorter scale has seen to be over, see `not_recovered`.
    """
    columns = {} if hold is None else dict(hold.columns_held(facts.length))
    if facts.findings:
        columns |= _with_findings(columns, facts)
    if facts.calm is not None:
        columns = {name: _calmed(column, name, facts, close_after=close_after) for name, column in columns.items()}
    held = {name: column for name, column in columns.items() if column.tier}
    if not held:
        return None
    return _scale_hold(hold, held, facts)


def recoveries_of(before: ScaleHold | None, facts: WindowObservation, *, close_after: int) -> dict[str, RecoveredSince]:
    """Return of each column since when the window's scale shows it recovered, by size, from what it held *before*."""
    if before is None or facts.calm is None:
        return {}
    recovered = {}
    for name, column in before.columns_held(facts.length).items():
        runs = _calmed(column, name, facts, close_after=close_after, keep=True).calm
        let_go = {tier: run for tier, run in runs.items() if run.windows >= close_after and run.by_size}
        if let_go:
            lowest = min(let_go)
            since = let_go[lowest].since
            # What is calm below a tier is so below every higher one, which it may never have held.
            warning, alert, critical = (since if tier >= lowest else 0 for tier in TIERS)
            recovered[name] = (warning, alert, critical)
    return recovered


def without_recovered(hold: ScaleHold, length: int, recoveries: Recoveries) -> ScaleHold | None:
    """Return a scale's hold without the columns and tiers that shorter scales have seen recover; None: nothing left."""
    held = {}
    for name, column in hold.columns_held(length).items():
        tier = tier_left(column.tier, column.since, recovered_since(name, length, recoveries))
        if tier:
            held[name] = column if tier == column.tier else _lowered(column, tier)
    if not held:
        return None
    return _scale_hold(hold, held, None)


def _with_findings(columns: Mapping[str, ColumnHold], facts: WindowObservation) -> dict[str, ColumnHold]:
    """Return the holds of columns with a finding here: calm counts start from 0 again up to the finding's tier."""
    by_column: dict[str, list[Finding]] = {}
    for finding in facts.findings:
        by_column.setdefault(finding.column, []).append(finding)
    held = {}
    for name, findings in by_column.items():
        before = columns.get(name)
        tier = max(finding.tier for finding in findings)
        held[name] = ColumnHold(
            tier=tier if before is None else max(tier, before.tier),
            since=max(facts.start_of(finding) for finding in findings),
            of_values=any(finding.statistic in OF_VALUES for finding in findings),
            calm={} if before is None else {of: run for of, run in before.calm.items() if of > tier},
        )
    return held


def _calmed(
    column: ColumnHold, name: str, facts: WindowObservation, *, close_after: int, keep: bool = False
) -> ColumnHold:
    """Return the column's hold after a conclusive window: each tier counts on, starts from 0, or is let go.

    Args:
        keep: Tiers that are let go stay.
    """
    if column.of_values and facts.says_nothing_of(name):
        return column
    shown = max((finding.tier for finding in facts.findings if finding.column == name), default=Tier.NONE)
    above, above_by_size = facts.restless_tiers(name)
    runs = {}
    for tier in TIERS:
        if tier <= column.tier and tier > max(shown, above):
            runs[int(tier)] = _counted(column.calm.get(tier), facts, by_size=tier > above_by_size)
    if keep:
        return msgspec.structs.replace(column, calm=runs)
    kept = [tier for tier in TIERS if tier <= column.tier and _windows(runs.get(tier)) < close_after]
    return _lowered(msgspec.structs.replace(column, calm=runs), max(kept, default=Tier.NONE))


def _lowered(column: ColumnHold, tier: Tier) -> ColumnHold:
    calm = {of: run for of, run in column.calm.items() if of <= tier}
    return msgspec.structs.replace(column, tier=tier, calm=calm)


def _counted(run: CalmRun | None, facts: WindowObservation, *, by_size: bool) -> CalmRun:
    if run is None:
        return CalmRun(windows=1, since=facts.start, end=facts.end, by_size=by_size)
    if facts.end - run.end < facts.length * MINUTE_MILLIS:
        return run
    return CalmRun(windows=run.windows + 1, since=run.since, end=facts.end, by_size=run.by_size and by_size)


def _windows(run: CalmRun | None) -> int:
    return 0 if run is None else run.windows


def _scale_hold(before: ScaleHold | None, held: dict[str, ColumnHold], facts: WindowObservation | None) -> ScaleHold:
    """Return the hold of *held*, which is not empty, after a window or, without one, after a recovery elsewhere."""
    new = () if facts is None else facts.findings
    shown = {finding.column for finding in new}
    old = () if before is None else before.findings
    findings = worst_first([*new, *(finding for finding in old if finding.column not in shown)])
    bad = facts if facts is not None and facts.findings else None
    calm, calm_ends = _fewest_calm(held)
    return ScaleHold(
        tier=max(column.tier for column in held.values()),
        bad_end=bad.end if bad is not None else 0 if before is None else before.bad_end,
        calm=calm,
        calm_ends=calm_ends,
        findings=tuple(finding for finding in findings if finding.column in held)[:FINDINGS_KEPT],
        moved=bad.moved if bad is not None else () if before is None else before.moved,
        columns=held,
    )


def _fewest_calm(held: Mapping[str, ColumnHold]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    counts, ends = [0, 0, 0], [0, 0, 0]
    for tier in TIERS:
        runs = [column.calm.get(tier) for column in held.values() if column.tier >= tier]
        counts[tier - 1] = min(map(_windows, runs), default=0)
        ends[tier - 1] = max((run.end for run in runs if run is not None), default=0)
    return (counts[0], counts[1], counts[2]), (ends[0], ends[1], ends[2])


def _columns_of_before(hold: ScaleHold, length: int) -> dict[str, ColumnHold]:
    """Return the columns that held a scale of the program before: those of its findings, the worst at its tier."""
    calm = {
        int(tier): CalmRun(windows=count, since=end - count * length, end=end, by_size=True)
        for tier, count, end in zip(TIERS, hold.calm, hold.calm_ends, strict=True)
        if count and tier <= hold.tier
    }
    columns: dict[str, ColumnHold] = {}
    for finding in worst_first(hold.findings):
        known = columns.get(finding.column)
        columns[finding.column] = ColumnHold(
            tier=hold.tier if not columns else known.tier if known else min(finding.tier, hold.tier),
            since=hold.bad_end - length if finding.since is None else finding.since,
            of_values=finding.statistic in OF_VALUES or (known is not None and known.of_values),
            calm=calm,
        )
    if not columns:
        columns[""] = ColumnHold(tier=hold.tier, since=hold.bad_end - length, calm=calm)
    return {name: _lowered(column, column.tier) for name, column in columns.items()}

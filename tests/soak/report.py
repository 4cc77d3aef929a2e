"""What a soak found: figures, and whether they are what was promised."""

import json
from collections import Counter
from dataclasses import dataclass

from tests.soak.compare import Compared
from tests.soak.installation import Tally
from tests.soak.plan import SoakPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakReport:
    """One run.

    Attributes:
        sent: What the producers meant to send, by kind.
        fenced: How often a role found that somebody else had moved its partition.
        unsettled: What never came to its end; empty when all did.
    """

    plan: SoakPlan
    sent: Counter[str]
    tally: Tally
    fenced: int
    unsettled: str
    compared: tuple[Compared, ...]

    @property
    def disturbances(self) -> int:
        """Kills and restarts of roles and services."""
        return self.tally.kills.total() + self.tally.restarts.total()

    @property
    def lost(self) -> int:
        return sum(row.lost for row in self.compared)

    @property
    def doubled(self) -> int:
        return sum(row.doubled for row in self.compared)

    @property
    def is_clean(self) -> bool:
        failed = self.unsettled or self.tally.crashes or self.tally.stopped
        return not failed and all(row.is_equal for row in self.compared)

    def lines(self) -> list[str]:
        """Return the figures for people."""
        tally = self.tally
        results = [
            f"kills      {tally.kills.total():>8,}  {_by_name(tally.kills)}",
            f"restarts   {tally.restarts.total():>8,}  {_by_name(tally.restarts)}",
            f"freezes    {tally.freezes.total():>8,}  {_by_name(tally.freezes)}",
            f"joined     {tally.joins:>8,}  times a third worker; {self.fenced:,} times somebody was fenced off",
            f"sent       {self.sent.total():>8,}  {_by_name(self.sent)}",
            "",
            "recounted: the topics read again from offset 0 by code of the tests; stored: what the database holds",
            f"{'':<40} {'recounted':>12} {'stored':>12} {'lost':>8} {'doubled':>8} {'differ':>8}",
        ]
        results += [
            f"{row.what:<40} {row.expected:>12,} {row.actual:>12,} {row.lost:>8,} {row.doubled:>8,} {row.differing:>8,}"
            for row in self.compared
        ]
        for row in self.compared:
            results += [f"  {row.what}: {example}" for example in row.examples]
        results += [f"never done: {self.unsettled}"] if self.unsettled else []
        results += [f"stopped by itself: {partition}" for partition in tally.stopped]
        results += [f"slow to end: {stop}" for stop in tally.slow_stops]
        results += [f"crashed: {crash}" for crash in tally.crashes]
        verdict = "nothing lost, nothing doubled" if self.is_clean else "NOT what was promised"
        return [*results, "", f"{self.disturbances:,} kills and restarts: {verdict}"]

    def document(self) -> str:
        """Return the figures as JSON."""
        return json.dumps(
            {
                "minutes": self.plan.minutes,
                "seed": self.plan.seed,
                "kills": self.tally.kills,
                "restarts": self.tally.restarts,
                "freezes": self.tally.freezes,
                "joins": self.tally.joins,
                "fenced": self.fenced,
                "sent": self.sent,
                "lost": self.lost,
                "doubled": self.doubled,
                "compared": {row.what: [row.expected, row.actual, row.lost, row.doubled, row.differing]
                             for row in self.compared},
                "unsettled": self.unsettled,
                "crashes": self.tally.crashes,
                "stopped": self.tally.stopped,
                "slow_stops": self.tally.slow_stops,
                "clean": self.is_clean,
            },
            indent=1,
        )  # fmt: skip


def _by_name(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))

"""What came of many releases, by kind: rolled back, of versions that are not worse, put to people, retrainings."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from alerting.actions.reasons import LABELLED_GROUNDS
from benchmarks.releases.played import Asked, Played
from benchmarks.releases.release import JUDGED, STABLE, Kind, Mode, Release
from monitor.types import ActionKind, ActionState, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS

WORSE_BY = 0.03
"""From which loss of accuracy on a version counts as truly worse: that of a warning."""
CLEARLY_BY = 0.12
"""That of the tier that a rollback is considered from."""
MONTH_MILLIS = 30 * DAY_MILLIS


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one history; times in hours since the judged version took traffic.

    Attributes:
        worse_by: How much less accurate the judged version is than the stable one would be, at the end.
        canary: The judged version serves next to the stable one.
        random_split: The spec says that both then get requests at random.
        warm_up: A new version's prediction is learnt before it is judged.
        rolled_back: When a rollback was asked for on proof, None: never. Sent in mode auto, put to people in approve.
        wrong: Rollbacks, on proof, of versions that are not worse than the one to go back to.
        put_to_people: Rollbacks that waited for somebody on less than proof.
        approved, approved_wrong: Those that people sent (here at random), and those of versions that are not worse.
        incidents: How many opened.
        retrainings: Requests of each incident that asked for one.
        retrainings_a_month: The most in 30 days.
        retrained_instead: Retrainings of the judged version while it is truly worse, inputs are stable, and nobody has
            rejected its rollback.
    """

    kind: Kind
    mode: Mode
    worse_by: float
    canary: bool
    random_split: bool
    warm_up: bool
    rolled_back: float | None
    wrong: int
    put_to_people: int
    approved: int
    approved_wrong: int
    incidents: int
    retrainings: tuple[int, ...]
    retrainings_a_month: int
    retrained_instead: int

    @property
    def truly_worse(self) -> bool:
        """Whether going back is the cure."""
        return self.worse_by >= WORSE_BY


def history_of(played: Played) -> History:
    """Return what came of one release."""
    release = played.release
    rollbacks = [asked for asked in played.asked if asked.row.kind is ActionKind.ROLLBACK]
    on_proof = [asked for asked in rollbacks if asked.row.reason in LABELLED_GROUNDS]
    waiting = [
        asked
        for asked in rollbacks
        if asked.row.state is ActionState.AWAITING_APPROVAL and asked.row.reason not in LABELLED_GROUNDS
    ]
    retrainings = [asked for asked in played.asked if asked.row.kind is ActionKind.RETRAINING]
    rejected = min(played.rejected_at, default=math.inf)
    retrained = [asked.row.from_version for asked in retrainings if asked.at < rejected]
    worse_by = _worse_by(release)
    approved = [asked for asked in played.approved if asked.row.kind is ActionKind.ROLLBACK]
    return History(
        kind=release.kind,
        mode=release.mode,
        worse_by=round(worse_by, 4),
        canary=any(event.version == JUDGED and event.stage is Stage.CANARY for event in release.events),
        random_split=release.random_split,
        warm_up=release.warm_up > 0,
        rolled_back=round((on_proof[0].at - release.began) / HOUR_MILLIS, 3) if on_proof else None,
        wrong=_wrong(on_proof),
        put_to_people=len(waiting),
        approved=len(approved),
        approved_wrong=_wrong(approved),
        incidents=len(played.incidents),
        retrainings=tuple(Counter(asked.row.incident_id for asked in retrainings).values()),
        retrainings_a_month=_most_in_a_month([asked.at for asked in retrainings]),
        retrained_instead=0 if worse_by < WORSE_BY or _inputs_move(release) else retrained.count(JUDGED),
    )


def _worse_by(release: Release) -> float:
    end = release.start + release.steps * release.step * MINUTE_MILLIS
    return release.accuracy_at(STABLE, end) - release.accuracy_at(JUDGED, end)


def _inputs_move(release: Release) -> bool:
    return bool(release.world_psi.any() or release.versions[JUDGED].own_inputs_psi.any())


def _wrong(asked: Sequence[Asked]) -> int:
    return sum(action.worse_by <= 0.0 for action in asked)


def _most_in_a_month(moments: Sequence[int]) -> int:
    return max((sum(first <= moment < first + MONTH_MILLIS for moment in moments) for first in moments), default=0)


class KindRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    Attributes:
        worse: Histories whose judged version is truly worse.
        rolled_back: Histories with a rollback on proof; *rolled_back_worse*: of those that are truly worse.
        hours: Median hours to the rollback.
    """

    name: str
    histories: int
    worse: int
    rolled_back: int
    rolled_back_worse: int
    wrong: int
    hours: float | None
    put_to_people: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all of them.

    Attributes:
        kinds: Of two keys, each mode but off.
        one_key: The same of `keys: 1`.
        of_worse: Truly worse versions by how they were released and how much worse they are.
        approved, approved_wrong: Rollbacks that people sent at random, and those of versions that are not worse.
        retraining_incidents, retrainings: Incidents that asked for a retraining, and how often.
        most_an_incident, most_a_month: Requests.
        retrained_instead: Requests to retrain what should be rolled back.
    """

    seed: int
    histories: int
    kinds: tuple[KindRow, ...]
    one_key: KindRow
    of_worse: tuple[KindRow, ...]
    approved: int
    approved_wrong: int
    incidents: int
    retraining_incidents: int
    retrainings: int
    most_an_incident: int
    most_a_month: int
    retrained_instead: int

    @property
    def wrong(self) -> int:
        """Rollbacks of versions that are not worse, on two keys."""
        return sum(row.wrong for row in self.kinds)


@dataclass(frozen=True)
class _Class:
    """Truly worse versions that have a row of their own."""

    release: str
    canary: bool
    clearly: bool
    random_split: bool | None = None
    warm_up: bool | None = None

    @property
    def name(self) -> str:
        by = f"{CLEARLY_BY:g} or more" if self.clearly else f"{WORSE_BY:g} to {CLEARLY_BY:g}"
        return f"{self.release}, worse by {by}"

    def holds(self, history: History) -> bool:
        low, high = (CLEARLY_BY, 2.0) if self.clearly else (WORSE_BY, CLEARLY_BY)
        return (
            history.canary is self.canary
            and low <= history.worse_by < high
            and self.random_split in (None, history.random_split)
            and self.warm_up in (None, history.warm_up)
        )


_CLASSES = tuple(
    part
    for clearly in (True, False)
    for part in (
        _Class("canary, random split, no warm-up", True, clearly, random_split=True, warm_up=False),
        _Class("canary, random split, warm-up", True, clearly, random_split=True, warm_up=True),
        _Class("canary, split not known", True, clearly, random_split=False),
        _Class("switched at once", False, clearly),
    )
)
_BAD_FROM_THE_START = frozenset({Kind.SLIGHTLY_BAD, Kind.CLEARLY_BAD})
"""With truths within a few hours."""


def summary_of(histories: Iterable[History], *, seed: int) -> Summary:
    """Return the summary."""
    every = list(histories)
    two_keys = [history for history in every if history.mode is not Mode.ONE_KEY]
    released = [history for history in two_keys if history.kind in _BAD_FROM_THE_START]
    return Summary(
        seed=seed,
        histories=len(every),
        kinds=tuple(_row(kind.value, [history for history in two_keys if history.kind is kind]) for kind in Kind),
        one_key=_row(Mode.ONE_KEY.value, [history for history in every if history.mode is Mode.ONE_KEY]),
        of_worse=tuple(_row(part.name, [history for history in released if part.holds(history)]) for part in _CLASSES),
        approved=sum(history.approved for history in two_keys),
        approved_wrong=sum(history.approved_wrong for history in two_keys),
        incidents=sum(history.incidents for history in every),
        retraining_incidents=sum(len(history.retrainings) for history in every),
        retrainings=sum(sum(history.retrainings) for history in every),
        most_an_incident=max((count for history in every for count in history.retrainings), default=0),
        most_a_month=max((history.retrainings_a_month for history in every), default=0),
        retrained_instead=sum(history.retrained_instead for history in every),
    )


def _row(name: str, histories: Sequence[History]) -> KindRow:
    hours = [history.rolled_back for history in histories if history.rolled_back is not None]
    return KindRow(
        name=name,
        histories=len(histories),
        worse=sum(history.truly_worse for history in histories),
        rolled_back=len(hours),
        rolled_back_worse=sum(history.truly_worse and history.rolled_back is not None for history in histories),
        wrong=sum(history.wrong for history in histories),
        hours=round(statistics.median(hours), 1) if hours else None,
        put_to_people=sum(history.put_to_people > 0 for history in histories),
    )

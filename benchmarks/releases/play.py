"""Plays a release through the real tracker, proposals and guard; receivers and people answer at random."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerting.actions.approvals import approval_refusal
from alerting.actions.assumed_deployments import assumed_deployments
from alerting.actions.circumstances import Circumstances, ModelFacts
from alerting.actions.proposals import ActionProposals
from alerting.incidents.replaced import ReplacedVersions, contradicted, replaced_at
from alerting.incidents.tracker import IncidentTracker, incident_rules
from benchmarks.releases.archive import MemoryArchive
from benchmarks.releases.played import Asked, Played
from benchmarks.releases.release import Event, Release
from benchmarks.releases.rules import movement_of, spec_of
from benchmarks.releases.windows import Judged, Windows
from monitor.deployments import history_until, replaced_versions
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, EvaluationKind, Stage
from monitor.units import DAY_MILLIS, MINUTE_MILLIS, millis


@dataclass(frozen=True, slots=True)
class JudgedEnd:
    """Windows of one end that can be judged at the same moment."""

    window_end: int
    evaluations: Sequence[Judged]


def play(release: Release) -> Played:
    """Return what came of *release*."""
    return _Player(release).play()


class _Player:
    """One release under guard: moments in their order, until nothing is left."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.spec = spec_of(release.mode, long=release.step > 60, random_split=release.random_split)
        self.random = np.random.default_rng([release.seed, 1])
        self.windows = Windows(release, self.spec)
        self.movement = movement_of(release)
        self.archive = MemoryArchive()
        self.tracker = IncidentTracker(model=self.spec.key, rules=incident_rules(self.spec), now_millis=0, states={})
        self.events = list(release.events)
        self.contradicted: set[Event] = set()
        self.actions: list[ActionRow] = []
        self.played = Played(release=release)
        self.queue: list[tuple[int, int, int, JudgedEnd | Callable[[int], None]]] = []
        self.number = 0
        self.with_replaced: dict[tuple[Event, ...], bool] = {}
        self.events_of_end: dict[tuple[str, int], int] = {}
        self._schedule_windows(after=release.start)

    def play(self) -> Played:
        """Work every moment."""
        while self.queue:
            now, _, _, due = heapq.heappop(self.queue)
            if isinstance(due, JudgedEnd):
                self._work(due, now)
            else:
                due(now)
        return self.played

    def _at(self, now: int, due: JudgedEnd | Callable[[int], None], *, end: int = 0) -> None:
        self.number += 1
        heapq.heappush(self.queue, (now, end, self.number, due))

    def _schedule_windows(self, *, after: int) -> None:
        self.queue = [
            item for item in self.queue if not (isinstance(item[3], JudgedEnd) and item[3].window_end > after)
        ]
        heapq.heapify(self.queue)
        of_moment: dict[tuple[int, int], list[Judged]] = {}
        shortest = min(self.spec.scales)
        for judged in self.windows.judged(after=after):
            of_moment.setdefault((judged.known_at, judged.window_end), []).append(judged)
            if judged.kind is EvaluationKind.INPUTS and judged.scale == shortest:
                self.events_of_end[judged.series.version, judged.window_end] = judged.result.events
        for (known_at, end), evaluations in of_moment.items():
            self._at(known_at, JudgedEnd(end, evaluations), end=end)

    def _history(self, now: int) -> list[Event]:
        """Return the events known *now* (ms), in order of event time; an event replaces what is assumed."""
        known = [event for event in self.events if event.reported_at <= now]
        return sorted(known, key=lambda event: event.event_time)

    def _work(self, end: JudgedEnd, now: int) -> None:
        for judged in end.evaluations:
            self.archive.add(judged)
        self._expire(now)
        self.tracker.now_millis = now
        expected = list(history_until(self._history(now), at=now))
        replaced = self._replaced(expected, end.window_end)
        outcome = self.tracker.feed(end, replaced=replaced)
        for decision, _ in outcome.steps:
            self.played.incidents.add(decision.incident_id)
        if not outcome.candidates:
            return
        proposals = ActionProposals(
            facts=self._facts(now), model_id=1, tracker=self.tracker, earlier=list(self.actions)
        )
        granted = [action for candidate in outcome.candidates for action in proposals.ask(candidate)]
        self.actions = proposals.earlier
        self.played.refused |= {(row.kind, row.incident_id, row.reason) for row in proposals.refused.values()}
        for action in granted:
            self._granted(action.row, now)

    def _replaced(self, expected: Sequence[Event], end: int) -> ReplacedVersions:
        if not self._any_replaced(tuple(expected)):
            return ReplacedVersions()
        shortest, switch_over = min(self.spec.scales), millis(self.spec.alerting.switch_over)
        counting = [event for event in expected if event not in self.contradicted]
        wrong = contradicted(
            [event for event in counting if event.assumed],
            counting,
            self.events_of_end,
            window_end=end,
            shortest=shortest,
            switch_over=switch_over,
        )
        self.contradicted |= set(wrong)
        return replaced_at(end, expected, self.events_of_end, shortest=shortest, switch_over=switch_over)

    def _any_replaced(self, history: tuple[Event, ...]) -> bool:
        if history not in self.with_replaced:
            self.with_replaced[history] = bool(replaced_versions(history))
        return self.with_replaced[history]

    def _facts(self, now: int) -> ModelFacts:
        changed = self.release.schema_changed_at
        return ModelFacts(
            spec=self.spec,
            actions_enabled=True,
            now_millis=now,
            history=[event for event in self._history(now) if event not in self.contradicted],
            archive=self.archive,
            decisions=self.windows.decisions,
            error_movement=lambda: self.movement,
            schema_at=lambda moment: changed is not None and moment > changed,
        )

    def _granted(self, row: ActionRow, now: int) -> None:
        self.played.asked.append(self._asked(row, now))
        if row.state is ActionState.DISPATCHING:
            self._send(row, now)
        elif row.state is ActionState.AWAITING_APPROVAL:
            assert row.expires_at is not None
            answers_at = now + int(self.random.uniform(5 * MINUTE_MILLIS, row.expires_at - now))
            answer = self.random.choice(["approve", "reject", "nothing"], p=[0.25, 0.25, 0.5])
            if answer != "nothing":
                self._at(answers_at, lambda at: self._answer(row.id, at, approve=answer == "approve"))

    def _asked(self, row: ActionRow, now: int) -> Asked:
        worse_by = 0.0
        if row.to_version is not None:
            there, here = (self.release.accuracy_at(version, now) for version in (row.to_version, row.from_version))
            worse_by = there - here
        return Asked(row=row, at=now, worse_by=worse_by)

    def _answer(self, action_id: str, now: int, *, approve: bool) -> None:
        """A person answers, if it still waits."""
        self._expire(now)
        row = self._row(action_id)
        if row.state is not ActionState.AWAITING_APPROVAL:
            return
        if not approve:
            self._move(action_id, ActionState.REJECTED)
            self.played.rejected_at.append(now)
            return
        self.tracker.now_millis = now
        earlier = tuple(action for action in self.actions if action.id != action_id)
        circumstances = Circumstances(facts=self._facts(now), tracker=self.tracker, earlier=earlier)
        refusal = approval_refusal(
            circumstances.situation(began=row.window_end, at=row.window_end),
            circumstances.evidence(row.from_version, at=row.window_end, with_windows=True),
            kind=row.kind,
            from_version=row.from_version,
            to_version=row.to_version,
            mode=self.spec.actions.of(row.kind).mode,
        )
        if refusal is None:
            self._move(action_id, ActionState.DISPATCHING)
            self.played.approved.append(replace(self._asked(row, now), approved=True))
            self._send(row, now)

    def _expire(self, now: int) -> None:
        for row in self.actions:
            if row.state is ActionState.AWAITING_APPROVAL and row.expires_at is not None and now > row.expires_at:
                self._move(row.id, ActionState.EXPIRED)

    def _row(self, action_id: str) -> ActionRow:
        return next(row for row in self.actions if row.id == action_id)

    def _move(self, action_id: str, state: ActionState) -> None:
        self.actions = [replace(row, state=state) if row.id == action_id else row for row in self.actions]

    def _send(self, row: ActionRow, now: int) -> None:
        answer = str(self.random.choice(["accepted", "ignored", "failed", "unknown"], p=[0.8, 0.06, 0.07, 0.07]))
        answered_at = now + int(self.random.uniform(0.1, 5) * MINUTE_MILLIS)
        self._at(answered_at, lambda at: self._answered(row, at, answer))

    def _answered(self, row: ActionRow, now: int, answer: str) -> None:
        states = {"failed": ActionState.FAILED, "unknown": ActionState.UNKNOWN}
        self._move(row.id, states.get(answer, ActionState.ACCEPTED))
        if row.kind is ActionKind.RETRAINING:
            if answer == "accepted" and self.release.retrained:
                version = self.release.retrained.pop(0)
                later = now + int(self.random.uniform(1, 4) * DAY_MILLIS)
                self._at(later, lambda at: self._switch(version, at, reported=True))
            return
        assert row.to_version is not None
        target, left, asked_at = row.to_version, row.from_version, row.decided_at
        if answer in ("accepted", "ignored"):
            self.events += [
                Event(of.version, now, of.stage, assumed=True, reported_at=now)
                for of in assumed_deployments(
                    self._history(now), from_version=left, to_version=target, at=now, asked_at=asked_at
                )
            ]
        if answer == "accepted" or (answer == "unknown" and self.random.random() < 0.5):
            reported = bool(self.random.random() < 0.7)
            later = now + int(self.random.uniform(1, 40) * MINUTE_MILLIS)
            self._at(later, lambda at: self._switch(target, at, reported=reported, left=left))

    def _switch(self, version: str, now: int, *, reported: bool, left: str | None = None) -> None:
        """All traffic of *left* (None: of all) goes to *version*."""
        release = self.release
        step = release.step_at(now) + 1
        for name, truth in release.versions.items():
            if name != version and left in (None, name):
                release.versions[version].traffic[step:] += truth.traffic[step:]
                truth.traffic[step:] = 0.0
        if reported:
            stages = {event.version: event.stage for event in self._history(now)}
            if stages.get(version) is not Stage.PRODUCTION or left is None:
                self.events.append(Event(version, now, Stage.PRODUCTION, reported_at=now))
            if left is not None and stages.get(left) is Stage.CANARY:
                self.events.append(Event(left, now, Stage.RETIRED, reported_at=now))
        self.windows.count_from(step)
        self._schedule_windows(after=release.start + step * release.step * MINUTE_MILLIS)

"""The story being played: a producer, the pauses in which the installation catches up, and the person who answers."""

import threading
from pathlib import Path

import sqlalchemy as sa

from consumers.kafka.embedded import EmbeddedBroker
from driftline.demo.acts import RECALIBRATED
from driftline.demo.expectations import Counts
from driftline.demo.installation import Expected, InstallationState, positions, read_state, what_is_left
from driftline.demo.pauses import PausedRecords
from driftline.demo.receiver import Receiver
from driftline.demo.stack import Children, run_to_end
from driftline.demo.story import DEPLOYMENTS, Story, story_records
from driftline.demo.view import Frame, StoryView
from driftline.replay.sender import Pace, PacedSender
from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.errors import DriftlineError
from monitor.settings import Settings
from monitor.store.engine import make_engine
from monitor.types import ActionState, Scale

_LOOK_SECONDS = 0.4
_SETTLED_LOOKS = 5  # nothing is left in so many looks: a sweep has passed without anything new
_SECONDS_AT_MOST = 480
_ON_CALL = "risk-team"
_WHY_REJECTED = "recalibrated on purpose; it decides like 3.2.0 and is right as often"


class StoryRun:
    """The story being played: a producer in a thread of its own, and the state of the installation meanwhile.

    It is a thousand times faster than life, and the guard judges by what is deployed *now*: so the producer waits while
    a canary serves until everything up to then is judged, and the person who answers has answered. What is held of the
    bad canary is held before its labels are in, as it would be in life, where they come a day later.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        story: Story,
        scales: tuple[Scale, ...],
        receiver: Receiver,
        children: Children,
        directory: Path,
    ) -> None:
        self._settings = settings
        self._story = story
        self._scales = scales
        self._receiver = receiver
        self._children = children
        self._directory = directory
        self._total = 2 * story.predictions + DEPLOYMENTS
        self._records = PausedRecords(
            story_records(story),
            moments=(story.line.held, story.line.labels_in, story.line.recalibrated_end, story.line.bad_held),
        )
        self._sent = 0
        self._problem: DriftlineError | None = None
        self._stop = threading.Event()

    def play(self, view: StoryView) -> InstallationState:
        """Play to the end and return the last look.

        Raises:
            DriftlineError: A role ended, or it did not come to its end in time.
        """
        engine = make_engine(self._settings.database_url, pool_size=2)
        producer = threading.Thread(target=self._produce, args=(engine,), name="producer", daemon=True)
        producer.start()
        try:
            with view.shown():
                return self._watch(engine, view)
        finally:
            self._stop.set()
            self._records.end()
            producer.join()
            engine.dispose()

    def counts(self, seen: InstallationState) -> Counts:
        """Return what was produced, and what *seen* says became of it."""
        return Counts(
            produced=self._sent,
            counted=seen.counted,
            duplicates=seen.duplicates,
            late=seen.late,
            dead_letters=seen.dead,
            labelled=seen.progress.labelled,
            correct=seen.progress.correct,
            predictions=self._story.predictions,
            expected_correct=int(self._story.correct.sum()),
        )

    def _produce(self, engine: sa.Engine) -> None:
        sender = PacedSender(
            self._settings,
            # Half of what the broker keeps: what it drops unread would be lost.
            pace=Pace(max_lag_bytes=EmbeddedBroker.KEPT_BYTES // 2),
            positions=lambda: positions(engine),
            stopped=self._stop.is_set,
        )
        try:
            sent = sender.send(self._records)
            self._sent = sent.predictions + sent.truths + sent.deployments
        except DriftlineError as error:
            self._problem = error  # the main thread ends the demo with it

    def _watch(self, engine: sa.Engine, view: StoryView) -> InstallationState:
        began = monotonic_seconds()
        settled = 0
        while True:
            with engine.connect() as connection:
                seen = read_state(connection)
            waits_at = self._records.waits_at
            left = what_is_left(seen, self._expected(waits_at), scales=self._scales, settings=self._settings)
            seconds = monotonic_seconds() - began
            view.show(
                Frame(
                    seen=seen,
                    deliveries=self._receiver.deliveries,
                    total=self._total,
                    seconds=seconds,
                    doing=f"{'' if waits_at is None else 'producers wait; '}{left or 'waiting in case more follows'}",
                )
            )
            settled = 0 if left else settled + 1
            if settled > _SETTLED_LOOKS:
                if waits_at is None:
                    return seen
                if waits_at == self._story.line.recalibrated_end:
                    self._reject(seen, view)
                self._records.resume()
                settled = 0
            if self._problem is not None:
                raise self._problem
            self._children.require_alive()
            if seconds > _SECONDS_AT_MOST:
                raise DriftlineError(f"the story did not come to its end within {_SECONDS_AT_MOST} s; still {left}")
            sleep_seconds(_LOOK_SECONDS)

    def _expected(self, waits_at: int | None) -> Expected:
        """Return what must have been counted and joined before the story goes on, or ends."""
        if waits_at is None:
            return Expected(records=self._total, truths=self._story.predictions)
        needs_labels = waits_at == self._story.line.labels_in
        return Expected(records=self._records.sent, truths=self._records.truths if needs_labels else None)

    def _reject(self, seen: InstallationState, view: StoryView) -> None:
        """Answer for the people on call what waits for them of the recalibrated canary."""
        for story in seen.actions:
            if (story.action.from_version, story.action.state) == (RECALIBRATED, ActionState.AWAITING_APPROVAL):
                words = ("actions", story.action.id[:8], "reject", "--as", _ON_CALL, "--why", _WHY_REJECTED)
                view.show_command(_ON_CALL, words)
                run_to_end(*words, directory=self._directory)

"""Runs the demo's story through the real roles and checks the outcome."""

import base64
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow.parquet as pq
import sqlalchemy as sa

from consumers.kafka.embedded import EmbeddedBroker
from driftline.demo.acts import MODEL, time_line
from driftline.demo.expectations import Counts, DemoOutcome, failed_expectations
from driftline.demo.receiver import Receiver, receiving
from driftline.demo.stack import SCALES, SECRET_VARIABLE, Children, EmbeddedStack, demo_spec, embedded_stack, run_to_end
from driftline.demo.story import DEPLOYMENTS, Story, reference_table, story_records, write_story
from driftline.demo.view import Frame, InstallationState, StoryView, positions, read_state, what_is_left
from driftline.replay.sender import Pace, PacedSender
from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.errors import DriftlineError
from monitor.settings import Settings, load_settings
from monitor.spec.file import read_spec
from monitor.store.engine import make_engine
from monitor.types import Scale

STORY_START = 1_772_409_600_000  # 2026-03-02T00:00:00Z, a Monday
SEED = 7
_LOOK_SECONDS = 0.4
_SETTLED_LOOKS = 5  # nothing is left in so many looks: a sweep has passed without anything new
_SECONDS_AT_MOST = 360
_ROLES = ("ingest", "alerter", "maintain")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Outcome of the demo, and the expectations that failed."""

    outcome: DemoOutcome
    failed: tuple[str, ...]
    windows: int
    seconds: float


def run_demo(view: StoryView, *, after: Callable[[DemoResult, EmbeddedStack], None]) -> DemoResult:
    """Run everything, from nothing to nothing; *after* is called while it is still there to be looked at.

    Raises:
        DriftlineError: A role ended, or the story did not come to its end in time.
    """
    started = monotonic_seconds()
    line = time_line(STORY_START)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with embedded_stack() as stack, receiving(secret) as receiver:
        settings = _take_over_environment(stack, secret)
        view.say("Postgres and broker are up; the model comes in: migrate, init, apply ...", style="dim")
        scales = _prepare(stack, receiver)
        children = Children(stack.directory)
        try:
            for role in _ROLES:
                children.start(role, role)
            story = write_story(line, seed=SEED)
            performance = _StoryRun(settings=settings, story=story, scales=scales, receiver=receiver, children=children)
            seen = performance.play(view)
            outcome = DemoOutcome(
                counts=performance.counts(seen), incidents=seen.incidents, deliveries=receiver.deliveries
            )
            shown = DemoResult(
                outcome=outcome,
                failed=failed_expectations(outcome, line),
                windows=seen.windows,
                seconds=monotonic_seconds() - started,
            )
            after(shown, stack)
            return shown
        finally:
            children.end()


def _take_over_environment(stack: EmbeddedStack, secret: str) -> Settings:
    """Make this process and its children see the demo's settings only, whatever the user's own are."""
    for name in [name for name in os.environ if name.startswith("DRIFTLINE_")]:
        del os.environ[name]
    configuration = stack.directory / "driftline.toml"
    configuration.write_text("", encoding="utf-8")
    os.environ |= {
        "DRIFTLINE_CONFIG": str(configuration),
        "DRIFTLINE_DATABASE_URL": stack.database_url,
        "DRIFTLINE_KAFKA_BOOTSTRAP": stack.bootstrap,
        # A thousand times faster than life: a second here is a quarter of an hour there.
        "DRIFTLINE_SETTLE_SECONDS": "1",
        "DRIFTLINE_SWEEP_SECONDS": "1",
        "DRIFTLINE_DELIVERY_SECONDS": "0.2",
        "DRIFTLINE_MAINTAIN_SECONDS": "0.3",
        SECRET_VARIABLE: secret,
    }
    return load_settings()


def _prepare(stack: EmbeddedStack, receiver: Receiver) -> tuple[Scale, ...]:
    """Bring the model in as a user would: migrate, init, edit the spec, apply."""
    run_to_end("migrate", directory=stack.directory)
    reference, spec = stack.directory / "reference.parquet", stack.directory / f"{MODEL}.yaml"
    pq.write_table(reference_table(time_line(STORY_START), seed=SEED), reference)
    run_to_end(
        "init", "--reference", str(reference), "--model", MODEL, "--score", "score", "--truth", "outcome",
        "--timestamp", "at", "--positive", "default", "--scales", SCALES, "--sample-rate", "1", "--output", str(spec),
        directory=stack.directory,
    )  # fmt: skip
    spec.write_text(demo_spec(spec.read_text(encoding="utf-8"), url=receiver.url), encoding="utf-8")
    run_to_end("apply", str(spec), directory=stack.directory)
    return read_spec(spec).scales


class _StoryRun:
    """The story being played: a producer in a thread of its own, and the state of the installation meanwhile."""

    def __init__(
        self, *, settings: Settings, story: Story, scales: tuple[Scale, ...], receiver: Receiver, children: Children
    ) -> None:
        self._settings = settings
        self._story = story
        self._scales = scales
        self._receiver = receiver
        self._children = children
        self._total = 2 * story.predictions + DEPLOYMENTS
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
            on_progress=self._remember,
            stopped=self._stop.is_set,
        )
        try:
            sent = sender.send(story_records(self._story))
            self._sent = sent.predictions + sent.truths + sent.deployments
        except DriftlineError as error:
            self._problem = error  # the main thread ends the demo with it

    def _remember(self, count: int, at: int) -> None:
        self._sent = count

    def _watch(self, engine: sa.Engine, view: StoryView) -> InstallationState:
        began = monotonic_seconds()
        settled = 0
        while True:
            with engine.connect() as connection:
                seen = read_state(connection)
            left = what_is_left(
                seen, story=self._story, produced=self._total, scales=self._scales, settings=self._settings
            )
            seconds = monotonic_seconds() - began
            view.show(
                Frame(
                    seen=seen,
                    deliveries=self._receiver.deliveries,
                    total=self._total,
                    seconds=seconds,
                    doing=left or "waiting for the last word",
                )
            )
            settled = 0 if left else settled + 1
            if settled > _SETTLED_LOOKS:
                return seen
            if self._problem is not None:
                raise self._problem
            self._children.require_alive()
            if seconds > _SECONDS_AT_MOST:
                raise DriftlineError(f"the story did not come to its end within {_SECONDS_AT_MOST} s; still {left}")
            sleep_seconds(_LOOK_SECONDS)

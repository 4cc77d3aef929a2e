"""Runs the demo's story through the real roles and checks the outcome."""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow.parquet as pq

from driftline.demo.acts import MODEL, time_line
from driftline.demo.expectations import DemoOutcome, failed_expectations
from driftline.demo.receiver import Receiver, receiving
from driftline.demo.stack import SCALES, SECRET_VARIABLE, Children, EmbeddedStack, demo_spec, embedded_stack, run_to_end
from driftline.demo.story import reference_table, write_story
from driftline.demo.story_run import StoryRun
from driftline.demo.view import StoryView
from monitor.clock import monotonic_seconds
from monitor.settings import Settings, load_settings
from monitor.spec.file import read_spec
from monitor.types import Scale

STORY_START = 1_772_409_600_000  # 2026-03-02T00:00:00Z, a Monday
SEED = 7
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
            run = StoryRun(
                settings=settings,
                story=story,
                scales=scales,
                receiver=receiver,
                children=children,
                directory=stack.directory,
            )
            seen = run.play(view)
            outcome = DemoOutcome(
                counts=run.counts(seen),
                incidents=seen.incidents,
                actions=seen.actions,
                deliveries=receiver.deliveries,
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
        "DRIFTLINE_REVISION_SECONDS": "4",
        SECRET_VARIABLE: secret,
    }
    return load_settings()


def _prepare(stack: EmbeddedStack, receiver: Receiver) -> tuple[Scale, ...]:
    """Bring the model in as a user would: migrate, init, edit the spec, apply."""
    run_to_end("migrate", directory=stack.directory)
    reference, spec = stack.directory / "reference.parquet", stack.directory / f"{MODEL}.yaml"
    pq.write_table(reference_table(time_line(STORY_START), seed=SEED), reference)
    run_to_end(
        "init", "--reference", str(reference), "--model", MODEL, "--score", "score", "--label", "decision",
        "--truth", "outcome", "--timestamp", "at", "--positive", "default", "--scales", SCALES, "--sample-rate", "1",
        "--output", str(spec),
        directory=stack.directory,
    )  # fmt: skip
    spec.write_text(demo_spec(spec.read_text(encoding="utf-8"), url=receiver.url), encoding="utf-8")
    run_to_end("apply", str(spec), directory=stack.directory)
    return read_spec(spec).scales

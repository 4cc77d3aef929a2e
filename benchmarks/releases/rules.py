"""What a release runs under: its spec, and what the reference shows of its errors."""

from functools import cache

from benchmarks.releases.release import Mode, Release
from monitor.performance.error_movement import ErrorMovement
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec

SPEC = """\
model: credit
task: binary_classification
reference: credit.profile
columns: {{income: {{kind: numeric, importance: 0.5}}, age: {{kind: numeric, importance: 0.3}}}}
prediction: {{score: true, label: true}}
windows: {{scales: {scales}}}
alerting: {{owner: team, runbook: https://example.org/runbook}}
actions:
  retraining: {{mode: auto, url: https://example.org/hook, secret_env: SECRET}}
  rollback: {{mode: {mode}, keys: {keys}, random_split: {split}, url: https://example.org/hook, secret_env: SECRET}}
"""
SCALES = "[{length: 1h, step: 30m}, {length: 8h, step: 2h}]"
LONG_SCALES = "[{length: 1d, step: 12h}, {length: 7d, step: 12h}]"


@cache
def spec_of(mode: Mode, *, long: bool, random_split: bool) -> ModelSpec:
    """Return the spec that a release runs under."""
    word = {Mode.APPROVE: "approve", Mode.DRY_RUN: "dry_run"}.get(mode, "auto")
    keys = 1 if mode is Mode.ONE_KEY else 2
    return parse_spec(
        SPEC.format(scales=LONG_SCALES if long else SCALES, mode=word, keys=keys, split=str(random_split).lower()),
        source="spec",
    )


def movement_of(release: Release) -> ErrorMovement | None:
    """Return what the reference shows: a rate that moves from step to step, and less over more of them."""
    if release.measured_correlation is None:
        return None
    return ErrorMovement({release.step * 2**double: release.measured_correlation / 2**double for double in range(6)})

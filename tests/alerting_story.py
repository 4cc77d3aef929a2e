"""A small applied model, and an evaluator that plays a script while it keeps the real one's books."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnRole, encode_layout
from monitor.reference.profile import ColumnReference, ReferenceProfile, encode_profile
from monitor.results import Finding, WindowResult
from monitor.spec.model import ColumnKind
from monitor.store import schema
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.evaluations import NewEvaluation, insert_evaluations
from monitor.store.scale_progress import Progress, read_progress, write_progress
from monitor.store.schema import deployment
from monitor.store.series import ensure_series
from monitor.store.specs import reference_digest
from monitor.types import (
    MINUTE_MILLIS,
    IncidentKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Stage,
    Statistic,
    Tier,
    Verdict,
)

SCALE = Scale(length=10, step=5)
SECRET_ENV = "STORY_SECRET"

SPEC = """\
model: {model}
task: binary_classification
reference: credit.profile
columns:
  income: {{kind: numeric, importance: 0.5}}
  region: {{kind: categorical}}
prediction: {{score: true}}
windows:
  scales: [{{length: 10m, step: 5m}}]
alerting:
  owner: credit team
  runbook: https://example.org/runbook
  {alerting}
  receivers: [{receivers}]
actions:
  retraining: {retraining}
  rollback: {rollback}
"""


def webhook(name: str, url: str, *, from_tier: str = "warning") -> str:
    return f"{{name: {name}, type: webhook, url: '{url}', secret_env: {SECRET_ENV}, from_tier: {from_tier}}}"


def action(mode: str, url: str, extra: str = "") -> str:
    return f"{{mode: {mode}, url: '{url}', secret_env: {SECRET_ENV}{extra}}}"


def apply_story(
    engine: sa.Engine,
    *,
    model: str = "credit",
    receivers: Sequence[str] = (),
    retraining: str = "{mode: 'off'}",
    rollback: str = "{mode: 'off'}",
    alerting: str = "close_after: 2",
) -> AppliedModel:
    """Apply the model and return it as the alerter loads it."""
    text = SPEC.format(
        model=model, receivers=", ".join(receivers), retraining=retraining, rollback=rollback, alerting=alerting
    )
    layout = CellsLayout(
        columns=(
            ColumnCells(
                name="income",
                kind=ColumnKind.NUMERIC,
                role=ColumnRole.FEATURE,
                edges=(0.0, 1.0),
                points=(False, False),
                maximum=2.0,
            ),
        )
    )
    profile = ReferenceProfile(
        layout=layout,
        rows=100,
        counts_bytes=np.array([50, 50] + [0] * SLOTS, dtype="<i8").tobytes(),
        columns=(ColumnReference(name="income", bins=(0, 1)),),
    )
    with engine.begin() as connection:
        model_id = _store(connection, text, model, profile)
        loaded = load_configuration(connection)
    return next(each for each in loaded.models if each.model_id == model_id)


def _store(connection: sa.Connection, text: str, model: str, profile: ReferenceProfile) -> int:
    connection.execute(insert(schema.configuration).values(only=True, generation=1).on_conflict_do_nothing())
    new = sa.insert(schema.model).values(namespace="default", name=model).returning(schema.model.c.id)
    model_id = connection.execute(new).scalar_one()
    cells_id = connection.execute(
        sa.insert(schema.cells)
        .values(
            model_id=model_id,
            digest=profile.layout.digest,
            layout=encode_layout(profile.layout),
            effective_from=0,
        )
        .returning(schema.cells.c.id)
    ).scalar_one()
    encoded = encode_profile(profile)
    reference_id = connection.execute(
        sa.insert(schema.reference)
        .values(
            model_id=model_id,
            cells_id=cells_id,
            digest=reference_digest(encoded),
            profile=encoded,
        )
        .returning(schema.reference.c.id)
    ).scalar_one()
    connection.execute(
        sa.insert(schema.spec).values(
            model_id=model_id, version=1, text=text, cells_id=cells_id, reference_id=reference_id
        )
    )
    return int(model_id)


def deploy(engine: sa.Engine, applied: AppliedModel, *events: tuple[str, int, Stage]) -> None:
    """Write the deployments' history."""
    with engine.begin() as connection:
        for offset, (version, event_time, stage) in enumerate(events):
            connection.execute(
                sa.insert(deployment).values(
                    model_id=applied.model_id,
                    version=version,
                    event_time=event_time,
                    stage=stage.value,
                    topic="deployments",
                    partition=0,
                    offset=offset,
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One judgement of the script."""

    series: SeriesKey
    scale: Scale
    window_end: int
    kind: str
    revision: int
    driving: bool
    result: WindowResult


@dataclass(frozen=True, slots=True)
class PlayedEnd:
    window_end: int
    evaluations: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class PlayedBatch:
    ends: tuple[PlayedEnd, ...]
    more: bool


LETTERS = {"w": Tier.WARNING, "a": Tier.ALERT, "c": Tier.CRITICAL}
VERDICTS = {
    Tier.NONE: Verdict.OK,
    Tier.WARNING: Verdict.WARNING,
    Tier.ALERT: Verdict.ALERT,
    Tier.CRITICAL: Verdict.CRITICAL,
}


def result(
    letter: str,
    *,
    kind: IncidentKind = IncidentKind.DRIFT,
    column: str = "income",
    role: str = "feature",
    statistic: Statistic | None = None,
) -> WindowResult:
    """Return what a letter stands for: ``.`` calm, ``w`` ``a`` ``c`` a finding of that tier, ``?`` inconclusive."""
    if letter == "?":
        return WindowResult(verdict=Verdict.INCONCLUSIVE, events=0, reason=InconclusiveReason.NO_EVENTS)
    tier = LETTERS.get(letter, Tier.NONE)
    finding = Finding(
        kind=kind,
        column=column,
        statistic=statistic or (Statistic.PSI if kind is IncidentKind.DRIFT else Statistic.MISSING),
        tier=tier,
        endured=True,
        value=0.41,
        bound=0.35,
        threshold=0.2,
        role=role,
        importance=0.5,
        sentence=f"{column} moved: PSI 0.41, proven 0.35 against 0.2.",
    )
    performance = kind is IncidentKind.PERFORMANCE
    drifting = kind is IncidentKind.DRIFT and tier
    return WindowResult(
        verdict=VERDICTS[tier],
        events=1000,
        findings=(finding,) if tier else (),
        calm_below=(not (drifting or (performance and tier)), tier < Tier.ALERT, tier < Tier.CRITICAL),
        quality_calm=None if performance else not (kind is IncidentKind.DATA_QUALITY and tier),
    )


@dataclass
class ScriptedEvaluator:
    """Plays window ends that its books in Postgres do not have yet, at most *at_once* per turn; stores results."""

    ends: list[PlayedEnd] = field(default_factory=list)
    at_once: int = 50

    def play(
        self,
        applied: AppliedModel,
        letters: str,
        *,
        start: int,
        version: str = "1",
        kind: IncidentKind = IncidentKind.DRIFT,
        column: str = "income",
        role: str = "feature",
        statistic: Statistic | None = None,
    ) -> None:
        """Add one judgement per letter, every 5 minutes from *start* on; a space is none."""
        for index, letter in enumerate(letters):
            end = start + index * SCALE.step * MINUTE_MILLIS
            if letter != " ":
                one = Played(
                    series=SeriesKey(applied.model_id, version),
                    scale=SCALE,
                    window_end=end,
                    kind="performance" if kind is IncidentKind.PERFORMANCE else "inputs",
                    revision=0,
                    driving=True,
                    result=result(letter, kind=kind, column=column, role=role, statistic=statistic),
                )
                self._add(end, one)

    def _add(self, end: int, one: Played) -> None:
        for index, window in enumerate(self.ends):
            if window.window_end == end:
                self.ends[index] = PlayedEnd(end, (*window.evaluations, one))
                return
        self.ends.append(PlayedEnd(end, (one,)))
        self.ends.sort(key=lambda window: window.window_end)

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> PlayedBatch:
        """Return the next ends after the stored progress of this model and move it, in the caller's transaction."""
        keys = {
            evaluation.series
            for end in self.ends
            for evaluation in end.evaluations
            if evaluation.series.model_id == applied.model_id
        }
        ids = ensure_series(connection, keys)
        known = read_progress(connection, applied.model_id).get(SCALE.length)
        done = None if known is None else known.evaluated_until
        mine = [
            PlayedEnd(end.window_end, tuple(e for e in end.evaluations if e.series.model_id == applied.model_id))
            for end in self.ends
            if done is None or end.window_end > done
        ]
        due = [window for window in mine if window.evaluations]
        now = due[: self.at_once]
        judged = [one for end in now for one in end.evaluations if one.kind == "inputs"]
        insert_evaluations(connection, [_stored(applied, ids[conclusion.series], conclusion) for conclusion in judged])
        if now:
            moved = Progress(length=SCALE.length, evaluated_until=now[-1].window_end, final_until=-1)
            write_progress(connection, applied.model_id, [moved])
        return PlayedBatch(tuple(now), more=len(due) > len(now))


def _stored(applied: AppliedModel, series_id: int, played: Played) -> NewEvaluation:
    return NewEvaluation(
        series_id=series_id,
        length=played.scale.length,
        window_end=played.window_end,
        cells_id=applied.cells[-1].cells_id,
        spec_version=applied.spec_version,
        reference_id=applied.reference_id,
        revision=played.revision,
        previous_events=0,
        sampled=0,
        result=played.result,
    )


def body_of(content: bytes) -> dict[str, object]:
    """Return a JSON body."""
    return msgspec.json.decode(content, type=dict[str, object])

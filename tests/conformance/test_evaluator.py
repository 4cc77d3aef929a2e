"""What a model's turn relies on of an evaluator: `monitor.evaluate.Evaluator` and the scripted one of the tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import EvaluatedBatch, ModelEvaluator
from alerting.incidents.observation import DECIDED_KINDS
from alerting.incidents.tracker import WindowEndEvaluations
from monitor import evaluate
from monitor.evaluate import StoredEvaluation
from monitor.reference.layout import SLOTS, Slot
from monitor.result_codec import encode_result
from monitor.store.configuration import AppliedModel
from monitor.store.incidents import lock_model
from monitor.store.schema import performance_due, performance_pane
from monitor.types import EvaluationKind, IncidentKind, Tier, Verdict
from monitor.units import MINUTE_MILLIS
from tests.fakes.scripted_evaluator import POSSIBLE, ScriptedEvaluator
from tests.models.alerted import apply_story
from tests.models.counted import START, apply_counted_model, write_pane
from tests.models.evaluated import NOW, RULES, SCALES, move
from tests.oracle.stored import final_evaluations

MINUTES = 70
ACCURACY = "accuracy: {min_truths: 20, maturity: 0.5, floor: 0.5, drop: 0.03}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One evaluator, and a model of which more is due than one batch holds: too few events, calm, drift, broken, wrong.

    ::

        minutes     0 .. 10 .. 20 .. 30 .. 40 .. 50 .. 60 .. 70
        events      few  ######################################
        drift                        ####################
        missing                                  ##############
        truths                       wrong
    """

    engine: Engine
    evaluator: ModelEvaluator
    applied: AppliedModel

    def batch(self, connection: sa.Connection) -> EvaluatedBatch:
        assert lock_model(connection, self.applied.model_id)
        return self.evaluator.evaluate_model(connection, self.applied, now_millis=NOW)

    def batches(self) -> list[EvaluatedBatch]:
        """Judge everything that is due, a transaction per batch."""
        batches: list[EvaluatedBatch] = []
        while not batches or batches[-1].more:
            with self.engine.begin() as connection:
                batches.append(self.batch(connection))
        return batches


def scripted_case(engine: Engine) -> Case:
    applied = apply_story(engine)
    story = ScriptedEvaluator()
    story.play(applied, "??........" + " " * 20, start=START)
    story.play(applied, "." * 20 + "wwaacc.aaacc", start=START + 50 * MINUTE_MILLIS, column="region")
    story.play(applied, "." * 30 + "aaaaaaww....", start=START + 50 * MINUTE_MILLIS, kind=IncidentKind.DATA_QUALITY)
    story.play(applied, "." * 30 + "wwcc", start=START + 50 * MINUTE_MILLIS, kind=IncidentKind.PERFORMANCE)
    return Case(engine=engine, evaluator=story, applied=applied)


def real_case(engine: Engine) -> Case:
    counted = apply_counted_model(engine, extra=SCALES + ACCURACY, correct=9_000, labelled=10_000)
    generator = np.random.default_rng(1)
    half, width = counted.cells // 2, counted.cells + SLOTS
    with engine.begin() as connection:
        for minute in range(MINUTES):
            counts = counted.counts(generator, 5 if minute < 10 else 60)
            if 30 <= minute < 50:
                counts[:half] += counts[half : counted.cells]
                counts[half : counted.cells] = 0
            if minute >= 50:
                counts[width + counted.cells + Slot.MISSING] = counts[width : width + counted.cells].sum()
                counts[width : width + counted.cells] = 0
            write_pane(connection, counted, START + minute * MINUTE_MILLIS, counts, sampled=20)
            correct = 5 if 30 <= minute < 40 else 18
            key = {"series_id": counted.series_id, "minute": START + minute * MINUTE_MILLIS}
            truths = {**key, "output": "", "age_bucket": 0, "labelled": 20, "correct": correct}
            connection.execute(sa.insert(performance_pane).values(truths))
            connection.execute(sa.insert(performance_due).values(key))
    move(engine, MINUTES)
    return Case(engine=engine, evaluator=evaluate.Evaluator(RULES), applied=counted.applied)


@pytest.fixture(params=[scripted_case, real_case], ids=["scripted", "real"])
def case(request: pytest.FixtureRequest, engine: Engine) -> Case:
    make: Callable[[Engine], Case] = request.param
    return make(engine)


def ends_of(batches: list[EvaluatedBatch]) -> list[WindowEndEvaluations]:
    return [end for batch in batches for end in batch.window_ends]


def evaluations_of(case: Case) -> list[StoredEvaluation]:
    evaluations = [evaluation for end in ends_of(case.batches()) for evaluation in end.evaluations]
    assert all(isinstance(evaluation, StoredEvaluation) for evaluation in evaluations)
    return [evaluation for evaluation in evaluations if isinstance(evaluation, StoredEvaluation)]


def test_ends_come_in_order_and_once(case: Case) -> None:
    """Over several batches; what was committed is not due any more."""
    batches = case.batches()
    assert [batch.more for batch in batches] == [True] * (len(batches) - 1) + [False]
    assert len(batches) > 1
    window_ends = [end.window_end for end in ends_of(batches)]
    assert window_ends == sorted(set(window_ends))
    assert ends_of(case.batches()) == []


def test_one_judgement_of_a_series_scale_and_kind_per_end(case: Case) -> None:
    """Whatever was found in a window is one result; drift and a missing field are findings of the same one."""
    windows = [(row.window_end, row.series, row.scale, row.kind) for row in evaluations_of(case)]
    assert len(windows) == len(set(windows)) > 50
    assert {kind for *_, kind in windows} == set(EvaluationKind)


def test_what_is_rolled_back_is_judged_again(case: Case) -> None:
    """The caller commits: a turn that fails afterwards loses nothing, and its windows come again, equal."""
    with case.engine.connect() as connection:
        lost = case.batch(connection)
        connection.rollback()
    with case.engine.begin() as connection:
        again = case.batch(connection)
    assert list(lost.window_ends) == list(again.window_ends) != []


def test_what_is_returned_is_stored(case: Case) -> None:
    """People read the same result that moved the incident."""
    returned = {
        (row.series.version, row.scale.length, row.window_end): encode_result(row.result).decode()
        for row in evaluations_of(case)
        if row.kind is EvaluationKind.INPUTS
    }
    with case.engine.connect() as connection:
        stored = final_evaluations(connection, case.applied.model_id)
    assert {(row.version, row.length, row.window_end): row.result for row in stored} == returned


def test_only_possible_findings_are_found(case: Case) -> None:
    """Each statistic with its tiers; of a column whose field is broken no drift; of accuracy nothing but accuracy."""
    seen = set()
    for evaluation in evaluations_of(case):
        findings = evaluation.result.findings
        for finding in findings:
            seen.add(finding.kind)
            assert finding.tier in POSSIBLE[finding.kind, finding.statistic]
            of_model = evaluation.kind is EvaluationKind.PERFORMANCE
            assert (finding.kind is IncidentKind.PERFORMANCE) is of_model
            assert ((finding.column, finding.role) == ("", "performance")) is of_model
        broken = {finding.column for finding in evaluation.result.of_kind(IncidentKind.DATA_QUALITY)}
        assert not broken & {finding.column for finding in findings if finding.kind is IncidentKind.DRIFT}
    assert seen == set(DECIDED_KINDS)


def test_a_result_agrees_with_itself(case: Case) -> None:
    """Verdict, reason, findings and calm say the same, in every window."""
    seen = set()
    for evaluation in evaluations_of(case):
        result = evaluation.result
        seen.add(result.verdict)
        tiers = [finding.tier for finding in result.findings if finding.endured]
        if result.verdict is Verdict.INCONCLUSIVE:
            assert bool(result.reason)
            assert (tiers, result.calm_below, result.quality_calm) == ([], None, None)
            continue
        assert not result.reason
        assert result.verdict is (Verdict[max(tiers).name] if tiers else Verdict.OK)
        of_quality = any(finding.kind is IncidentKind.DATA_QUALITY for finding in result.findings)
        assert result.quality_calm is (None if evaluation.kind is EvaluationKind.PERFORMANCE else not of_quality)
        assert result.calm_below is not None
        assert list(result.calm_below) == sorted(result.calm_below), "calm below a tier is calm below every higher one"
        held = {column.column: column.tier for column in result.restless or ()}
        for finding in result.findings:
            if finding.endured and finding.kind is not IncidentKind.DATA_QUALITY:
                assert not result.calm_below[finding.tier - 1]
            if finding.kind is IncidentKind.DRIFT and result.restless is not None:
                assert held[finding.column] >= finding.tier
        if result.restless is not None:
            assert all(column.tier <= column.size for column in result.restless)
            highest = max(held.values(), default=Tier.NONE)
            assert result.calm_below == (highest < Tier.WARNING, highest < Tier.ALERT, highest < Tier.CRITICAL)
    assert seen >= {Verdict.INCONCLUSIVE, Verdict.OK, Verdict.WARNING, Verdict.CRITICAL}


@pytest.mark.parametrize(("kind", "letters"), [(IncidentKind.PERFORMANCE, "?"), (IncidentKind.DATA_QUALITY, "c")])
def test_a_script_cannot_play_what_does_not_exist(engine: Engine, kind: IncidentKind, letters: str) -> None:
    """A window of an hour or less without truths enough is not returned, a missing share is never critical."""
    story = ScriptedEvaluator()
    with pytest.raises(AssertionError):
        story.play(apply_story(engine), letters, start=START, kind=kind)


def test_a_script_cannot_play_drift_of_a_broken_field(engine: Engine) -> None:
    """What is left of it is no sample of what the model sees."""
    story, applied = ScriptedEvaluator(), apply_story(engine)
    story.play(applied, "a", start=START, kind=IncidentKind.DATA_QUALITY)
    with pytest.raises(AssertionError, match="broken field"):
        story.play(applied, "a", start=START, kind=IncidentKind.DRIFT)

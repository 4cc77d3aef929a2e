"""References that a deployment's manifest names and that come after windows were judged: in the end as in a replay."""

import pytest
from sqlalchemy import Engine

from monitor.reference.profile import encode_profile
from monitor.store.specs import reference_digest
from monitor.store.views.status import model_statuses
from monitor.types import InconclusiveReason
from monitor.units import HOUR_MILLIS
from tests.integration.test_late_deployments import CANARY, FIRST, RULES, Observed
from tests.integration.test_version_adoption import score_of, stored, validation_profile
from tests.integration.test_version_references import as_is, drifts, recalibrated
from tests.models.counted import START


@pytest.mark.parametrize("late", ["deployment", "reference"])
def test_windows_before_a_late_reference_of_a_manifest_are_judged_again(engine: Engine, late: str) -> None:
    """Either comes after windows of the version were judged: the event, or the reference that it names."""
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(9))
    story.write("2", range(2, 9), recalibrated)
    profile = validation_profile(story, recalibrated)
    if late == "reference":
        story.arrives(CANARY, reference=reference_digest(encode_profile(profile)))
    story.look(hour=3.5)
    if late == "reference":  # it warms up
        assert set(score_of(story).values()) == {InconclusiveReason.WARMING_UP}
    else:  # nothing says yet that it is a new version
        assert drifts(story.results("2"))
    _, digest = stored(story)
    if late == "deployment":
        story.arrives(CANARY, reference=digest)
    again = story.look(hour=3.5)
    assert {evaluation.series.version for evaluation in again} == {"2"}
    for hour in (5.0, 9.0):
        story.look(hour=hour)
    assert set(score_of(story).values()) == {InconclusiveReason.CONCLUSIVE}
    assert drifts(story.results("2")) == []
    assert story.end_state() == story.replayed(hour=9)


def test_of_two_references_named_for_the_same_time_the_first_counts(engine: Engine) -> None:
    """Whether the second event came with the first or later: the last of those that came together counted."""
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(9))
    story.write("2", range(2, 9), recalibrated)
    digests = [stored(story, scores)[1] for scores in (recalibrated, as_is)]
    for digest in digests:
        story.arrives(CANARY, reference=digest)
        story.look(hour=3.5)
    story.look(hour=9)
    assert drifts(story.results("2")) == []
    assert story.end_state() == story.replayed(hour=9)


def test_final_windows_stay_though_a_manifest_names_a_reference(engine: Engine) -> None:
    story = Observed(engine)
    story.arrives(FIRST)
    story.write("1", range(9))
    story.write("2", range(2, 9), recalibrated)
    _, digest = stored(story)
    story.look(hour=6)
    before = [result for result in story.results("2") if result[0] <= 3.5]
    story.arrives(CANARY, reference=digest)
    assert story.look(hour=6)
    assert [result for result in story.results("2") if result[0] <= 3.5] == before
    with engine.connect() as connection:
        (status,) = model_statuses(connection)
    (unrevised,) = status.unrevised
    final = START + 6 * HOUR_MILLIS - RULES.watermark.finality
    assert unrevised.version == "2"
    assert unrevised.unrevised_until is not None
    assert final - 5 * 60_000 < unrevised.unrevised_until <= final
    assert story.look(hour=6) == []

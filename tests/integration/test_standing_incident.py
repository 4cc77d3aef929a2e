"""An incident that stands for weeks: people are asked once whether to adopt the new state, with the commands."""

from sqlalchemy import Engine

from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_alerting_advance import DAY, HOOK, HOUR, STEP, T0, WIDE, advance, outbox_of, refusals
from tests.models.alerted import action, apply_story, webhook


def test_a_standing_incident_asks_once_whether_to_adopt(engine: Engine) -> None:
    """One retraining, whose result nobody gives; from the fourteenth day on the message says what to do, once.

    ::

        version 1  a a a a           a a a a a a
                   T0                T0 + 15 days
    """
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], retraining=action("auto", HOOK), alerting=WIDE)
    story = ScriptedEvaluator()
    story.play(applied, "aaaa", start=T0)
    advance(engine, applied, story, now=T0 + HOUR)
    assert ("retraining", "adopt_reference") not in refusals(engine, applied)
    for later in (0, 1):
        story.play(applied, "aaa", start=T0 + 15 * DAY + later * 3 * STEP)
        advance(engine, applied, story, now=T0 + 15 * DAY + HOUR)
    requests = [sent for sent in outbox_of(engine) if sent.endpoint == "credit/actions/retraining"]
    asked = [sent for sent in outbox_of(engine) if sent.type == "model.action.refused"]
    assert (len(requests), len(asked)) == (1, 1)
    (shown,) = asked[0].body["actions"]
    assert "`driftline reference adopt credit NEW`" in shown["explanation"]

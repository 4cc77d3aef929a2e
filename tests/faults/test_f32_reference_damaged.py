"""F32: the reference is missing or corrupt: windows are inconclusive with the reason, and only that model's."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.alerter import Alerter
from alerting.delivery.deliver import DeliverySettings
from alerting.receivers.webhook import WebhookSettings
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.health import Health
from monitor.maintain.loop import Maintainer
from monitor.reference.profile import encode_profile
from monitor.results import WindowResult
from monitor.settings import Settings
from monitor.spec.file import parse_spec
from monitor.store import schema
from monitor.store.configuration import apply_spec, load_reference
from monitor.store.database_clock import database_now_millis
from monitor.store.views.evaluations import shown_evaluations
from monitor.types import ModelKey, Verdict
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import (
    START,
    CountedModel,
    apply_counted_model,
    set_watermark,
    write_panes,
)
from tests.models.credit import apply_model, profile, spec_text
from tests.models.rounds import advance_fully

DAMAGES = {
    "empty": "''",
    "cut": "substring(profile for 40)",
    "one bit": "set_byte(profile, length(profile) / 2, get_byte(profile, length(profile) / 2) # 1)",
    "another format": "'no profile at all'",
}
damages = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


def damage_reference(engine: Engine, damage: str, *, model_id: int) -> None:
    with engine.begin() as connection:
        text = f"UPDATE reference SET profile = {damage} WHERE model_id = :id"  # noqa: S608  of the list above
        assert connection.execute(sa.text(text), {"id": model_id}).rowcount == 1


def write_shift(engine: Engine, counted: CountedModel, first: int, last: int) -> None:
    """Minutes in which every column is in its upper half: a shift that is critical at once."""
    layout = counted.applied.cells[-1].layout
    shifted = np.zeros(layout.size, dtype=np.int64)
    for span in layout.spans:
        shifted[span.start + counted.cells // 2 : span.slots] = 8
    with engine.begin() as connection:
        write_panes(connection, counted, [(START + m * MINUTE_MILLIS, shifted, 0) for m in range(first, last)])
        now = database_now_millis(connection)
        set_watermark(connection, START + last * MINUTE_MILLIS, now=now)


def rounds(engine: Engine, health: Health) -> Alerter:
    evaluator = Evaluator(EvaluationRules(watermark=WatermarkRules()))
    webhook = WebhookSettings(timeout_seconds=1, allow_private=True, environment={})
    return Alerter(
        engine=engine,
        settings=Settings(),
        evaluator=evaluator,
        delivery=DeliverySettings(engine=engine, owner="test", webhook=webhook, jitter=lambda: 0.0),
        stopping=lambda: False,
        health=health,
        notices=lambda: evaluator.problems,
    )


def results(engine: Engine, *, after: int = 0) -> list[WindowResult]:
    """What an operator is shown of windows that ended after *after* minutes."""
    with engine.connect() as connection:
        shown = shown_evaluations(connection, ModelKey("default", "credit"), limit=100_000)
    return [window.result for window in shown if window.window_end > START + after * MINUTE_MILLIS]


def incidents(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(schema.incident)).scalar_one()


@damages
def test_windows_are_inconclusive_with_the_reason_until_it_is_mended(engine: Engine, damage: str) -> None:
    """A shift that would be an incident: not judged, never called fine; the same again after it is restored: found.

    ::

        minutes      0 ........ 240 ........ 480
        the stream   shifted     shifted
        reference    damaged   | restored
        verdicts     no_reference | critical
    """
    counted = apply_counted_model(engine)
    health = Health()
    work = rounds(engine, health)
    with engine.connect() as connection:
        kept = connection.execute(sa.select(schema.reference.c.profile)).scalar_one()
    damage_reference(engine, damage, model_id=counted.applied.model_id)
    write_shift(engine, counted, 0, 240)
    advance_fully(work)
    blind = results(engine)
    assert blind
    assert {result.verdict for result in blind} == {Verdict.INCONCLUSIVE}
    explained = [result for result in blind if result.reason == "no_reference"]
    assert len(explained) == len(blind)
    assert all(f"reference {counted.applied.reference_id} in the database" in result.sentence for result in explained)
    assert all("apply the spec with its profile again" in result.sentence for result in explained)
    assert incidents(engine) == 0
    advance_fully(work)
    assert [notice.partition(":")[0] for notice in health.notices] == ["credit"]
    with engine.begin() as connection:
        connection.execute(sa.update(schema.reference).values(profile=kept))
    write_shift(engine, counted, 240, 480)
    advance_fully(work)
    assert Verdict.CRITICAL in {result.verdict for result in results(engine, after=240)}
    assert incidents(engine) == 1
    advance_fully(work)
    assert health.notices == ()


@damages
def test_applying_the_same_files_again_restores_it(engine: Engine, damage: str) -> None:
    """The `apply` that the message advises repairs it: not "nothing changed", a new version with whole bytes."""
    model_id = apply_model(engine)
    text, whole = spec_text(), profile()
    with engine.begin() as connection:
        first = apply_spec(connection, text=text, parsed=parse_spec(text, source="test"), profile=whole)
    assert not first.changed
    damage_reference(engine, damage, model_id=model_id)
    with engine.begin() as connection:
        again = apply_spec(connection, text=text, parsed=parse_spec(text, source="test"), profile=whole)
        assert (again.changed, again.reference_id) == (True, first.reference_id)
        assert load_reference(connection, again.reference_id) == whole


def test_other_models_are_maintained(engine: Engine) -> None:
    """Compaction stops for the model alone, and says so; it goes on by itself afterwards."""
    bad, good = apply_model(engine), apply_model(engine, model="fraud")
    damage_reference(engine, DAMAGES["cut"], model_id=bad)
    with engine.begin() as connection:
        now = database_now_millis(connection)
        set_watermark(connection, now - MINUTE_MILLIS, now=now)
    health = Health()
    maintainer = Maintainer(engine, Settings(), health)
    stop = threading.Event()
    assert maintainer.round(stop=stop)
    assert maintainer.round(stop=stop)
    assert [notice.partition(":")[0] for notice in health.notices] == ["credit"]
    assert "compacting" not in health.services_away
    assert good != bad


def test_a_profile_file_that_is_missing_or_damaged_is_refused_and_the_old_one_goes_on(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    """The same before it comes into the database: exit 2, the file's name and what was expected, nothing changed."""
    apply_model(engine)
    before = specs(engine)
    (tmp_path / "credit.yaml").write_text(spec_text(alerting={"owner": "another"}))
    for damaged in (None, b"half of a profile", encode_profile(profile())[:-20]):
        if damaged is not None:
            (tmp_path / "credit.profile").write_bytes(damaged)
        done = subprocess.run(
            [sys.executable, "-m", "driftline", "apply", "credit.yaml"],
            env={**os.environ, "DRIFTLINE_DATABASE_URL": database_url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 2, done.stderr
        assert "credit.profile" in done.stderr
        assert "expected" in done.stderr
        assert "Traceback" not in done.stderr
        assert specs(engine) == before


def specs(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(schema.spec))]

"""Incidents of a version whose prediction warms up: what opened them is no longer judged, and holds them no longer."""

import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.conclusive_windows import newest_conclusive_window
from monitor.store.configuration import load_configuration
from monitor.types import IncidentKind, IncidentStatus, SeriesKey
from monitor.units import HOUR_MILLIS
from tests.integration.test_late_deployments import CANARY, FIRST, Observed
from tests.integration.test_version_references import NOW, SPEC, drifts, recalibrated, stuck_for_two_hours
from tests.models.counted import START, set_watermark

LONG = SPEC.replace("6h", "24h")


class Alerted(Observed):
    """Looks are the alerter's: incidents follow."""

    def watch(self, *, hour: float) -> None:
        with self.engine.begin() as connection:
            set_watermark(connection, START + round(hour * HOUR_MILLIS), now=NOW)
            applied = load_configuration(connection).models[0]
        advance_model(self.engine, applied, self.evaluator, Settings(), now_millis=NOW, event_clock=True)

    def incidents(self, version: str = "2") -> list[tuple[str, str, float, float | None]]:
        """Return kind, status, first and resolved end (hours)."""
        table = schema.incident.c
        query = sa.select(table.kind, table.status, table.first_end, table.resolved_end).where(table.version == version)
        with self.engine.connect() as connection:
            return [
                (
                    row.kind,
                    row.status,
                    (row.first_end - START) / HOUR_MILLIS,
                    None if row.resolved_end is None else (row.resolved_end - START) / HOUR_MILLIS,
                )
                for row in connection.execute(query)
            ]


def test_an_incident_of_before_a_late_deployment_is_closed_by_the_windows_that_come(engine: Engine) -> None:
    """Its windows are judged again and show nothing; the warm-up held it open for its whole day.

    ::

        hour       2 ... 3.5 .. 4 .... 12
        version 2  drift |     warms up
        known           the deployment at 2
    """
    story = Alerted(engine, text=LONG)
    story.arrives(FIRST)
    story.write("1", range(12))
    story.write("2", range(2, 12), recalibrated)
    story.watch(hour=3.5)
    ((kind, status, opened, _),) = story.incidents()
    assert (kind, status) == (IncidentKind.DRIFT, IncidentStatus.OPEN)
    story.arrives(CANARY)
    for hour in (4, 5, 8, 12):
        story.watch(hour=hour)
    assert drifts(story.results("2")) == []
    ((_, status, first, resolved),) = story.incidents()
    assert (status, first) == (IncidentStatus.RESOLVED, opened)
    assert resolved is not None
    assert resolved <= 3.5 + 2 * 0.5 + 0.25  # two short windows
    assert "2" not in story.references()  # it warms up still


def test_a_fault_in_a_warm_up_is_over_when_it_is_mended(engine: Engine) -> None:
    """The score is stuck from hour 4 to 6: bad data of the model, which holds back all drift while it is open."""
    story = Alerted(engine, text=LONG)
    story.arrives(FIRST, CANARY)
    story.write("1", range(12))
    story.write("2", range(2, 12), stuck_for_two_hours)
    for hour in (5, 6, 8, 12):
        story.watch(hour=hour)
    ((kind, status, first, resolved),) = story.incidents()
    assert (kind, status) == (IncidentKind.DATA_QUALITY, IncidentStatus.RESOLVED)
    assert 4 < first < 4.5
    assert resolved is not None
    assert 6 < resolved <= 6 + 2 * 0.5 + 0.25
    assert "2" not in story.references()


def test_the_guard_looks_at_what_windows_say_since_they_were_judged_again(engine: Engine) -> None:
    """Nobody may roll back, or approve it, by a verdict that was taken back: it was shown as it was first judged."""
    story = Alerted(engine, text=LONG)
    story.arrives(FIRST)
    story.write("1", range(4))
    story.write("2", range(2, 4), recalibrated)
    story.watch(hour=3.5)
    assert shift_of(story)
    story.arrives(CANARY)
    story.watch(hour=3.5)
    assert not shift_of(story)


def shift_of(story: Alerted) -> bool:
    """Return whether the newest windows of version 2, as the guard has them, show critical drift of the score."""
    key = SeriesKey(story.applied.model_id, "2")
    with story.engine.connect() as connection:
        windows = [
            newest_conclusive_window(
                connection, key, length=scale.length, first_end=START, last_end=START + 24 * HOUR_MILLIS
            )
            for scale in story.applied.spec.scales
        ]
    return any(window is not None and window.result.of_kind(IncidentKind.DRIFT) for window in windows)

"""A database in which one model drifted, one partition stopped and one record was refused, row by row."""

import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.result_codec import encode_result
from monitor.results import WindowResult
from monitor.store.schema import (
    action,
    dead_letter,
    dead_letter_count,
    endpoint,
    evaluation,
    incident,
    input_offset,
    outbox,
    performance_evaluation,
    scale_progress,
    series,
    transition,
)
from monitor.types import Verdict
from tests.models.credit import START, apply_credit_model

INCIDENT = "8b20baab-71df-59ce-a3b1-f6929a050e14"
SENTENCE = "`income`: PSI 0.31 (at least 0.12 at 99.9 %): warning 0.1 proven, alert 0.2 not."


def insert_drift(engine: Engine) -> None:
    """Write what a database holds in which one model drifted, one partition stopped, one record was refused."""
    apply_credit_model(engine)
    with engine.begin() as connection:
        model_id = connection.execute(sa.text("SELECT id FROM model")).scalar_one()
        cells_id, reference_id = connection.execute(sa.text("SELECT cells_id, id FROM reference")).one()
        series_id = connection.execute(
            sa.insert(series)
            .values(model_id=model_id, version="3.2.0", segment_tag="", segment_value="")
            .returning(series.c.id)
        ).scalar_one()
        result = WindowResult(verdict=Verdict.WARNING, events=600, sentence=SENTENCE)
        for revision, events in ((0, 599), (1, 600)):
            connection.execute(
                sa.insert(evaluation).values(
                    series_id=series_id, length=60, window_end=START, cells_id=cells_id, spec_version=1,
                    revision=revision, reference_id=reference_id, events=events, previous_events=0, sampled=0,
                    verdict="WARNING", result=encode_result(result).decode(),
                )
            )  # fmt: skip
        for window_end, revision, mature, accuracy in (
            (START - 300_000, 0, True, 0.81), (START - 300_000, 1, True, 0.82), (START, 0, False, 0.83)
        ):  # fmt: skip
            connection.execute(
                sa.insert(performance_evaluation).values(
                    series_id=series_id, output="", length=60, window_end=window_end, spec_version=1,
                    revision=revision, sampled=600, labelled=500, correct=400, mature=mature, accuracy=accuracy,
                    verdict="OK",
                )
            )  # fmt: skip
        progress = {"model_id": model_id, "length": 60, "evaluated_until": START, "final_until": START - 300_000}
        connection.execute(sa.insert(scale_progress).values(**progress))
        connection.execute(
            sa.insert(incident).values(
                id=INCIDENT, model_id=model_id, version="3.2.0", kind="drift", status="open", tier=1, state="{}",
                first_end=START, last_end=START, sentence=SENTENCE,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(transition).values(
                incident_id=INCIDENT, window_end=START, step="opened", reason="finding_endured", tier=1,
                sentence=SENTENCE,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(action).values(
                id="00000000-0000-5000-8000-000000000001", model_id=model_id, incident_id=INCIDENT, kind="retraining",
                state="refused", reason="tier_below_alert", from_version="3.2.0", window_end=START, attempt=0,
                request={},
            )
        )  # fmt: skip
        endpoint_id = connection.execute(
            sa.insert(endpoint).values(name="credit/receivers/team", type="webhook").returning(endpoint.c.id)
        ).scalar_one()
        connection.execute(
            sa.insert(outbox).values(
                id="00000000-0000-5000-8000-000000000002", kind="notification", event_type="model.incident.opened",
                endpoint_id=endpoint_id, incident_id=INCIDENT, dedupe_key="x", body=b"{}", state="done", attempts=2,
                last_status=200,
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(input_offset).values(
                topic="predictions", partition=0, role="predictions", next_offset=50, records=50, counted=40, dead=10,
                max_event_time=START, paused_reason="10 of the last 50 records are bad",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(dead_letter).values(
                topic="predictions", partition=0, offset=7, row=0, key=b"k", value=b"{", headers=[], size=1,
                truncated=False, reason="malformed", sentence="expected a JSON object, found its beginning",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(dead_letter_count).values(
                hour="2026-06-01T12:00:00Z", reason="malformed", namespace="", model="", records=12_000, bytes=12_000,
                kept=350, kept_bytes=350,
            )
        )  # fmt: skip

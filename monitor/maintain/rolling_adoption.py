"""Adopts the rolling reference once a day, for models whose spec says `reference_policy: rolling`."""

import sqlalchemy as sa

from monitor.maintain.rolling import build_rolling
from monitor.store.adoption import Adopted, adopt_reference
from monitor.store.configuration import AppliedModel
from monitor.store.engine import snapshot
from monitor.store.references import reference_in_force
from monitor.types import HOUR_MILLIS
from monitor.windows.watermark import WatermarkRules

EVERY_MILLIS = 24 * HOUR_MILLIS


def adopt_rolling_when_due(
    engine: sa.Engine, applied: AppliedModel, *, watermark: int, rules: WatermarkRules, now: int
) -> Adopted | None:
    """Adopt the rolling reference of *applied* when its spec wants it and its time has come; None when not.

    Its time has come when the reference in force, whichever it is, has been so for a day; and never while an incident
    of the version in production is open: whoever looks into it must find the reference that opened it. Where another
    decision came between, that one stays.

    Args:
        watermark: Event time (ms) up to which the model's panes are complete.
        now: Wall clock (ms).
    """
    if applied.spec.reference_policy != "rolling":
        return None
    with snapshot(engine) as connection:
        current = reference_in_force(connection, applied.model_id)
        since = None if current is None else current.row.in_force_since
        if since is None or now < since + EVERY_MILLIS:
            return None
        rolling = build_rolling(connection, applied, watermark=watermark, rules=rules)
    if rolling.profile is None or rolling.incident_open:
        return None
    with engine.begin() as connection:
        adopted = adopt_reference(
            connection,
            model_id=applied.model_id,
            profile=rolling.profile,
            base_id=rolling.base_id,
            after_version=applied.spec_version,
        )
    return adopted if adopted.changed else None

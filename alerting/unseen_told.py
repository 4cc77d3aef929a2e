"""Which unseen values a message may name: none, unless the spec lets values of features leave Driftline."""

import sqlalchemy as sa

from alerting.incident_state import Decision, IncidentState
from alerting.message import UNSEEN
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.configuration import AppliedModel
from monitor.store.unseen_values import unseen_values
from monitor.types import MINUTE_MILLIS


def unseen_to_tell(
    connection: sa.Connection, applied: AppliedModel, decision: Decision, state: IncidentState
) -> dict[str, FrequentValues]:
    """Return by column what was unseen in the hours of the decision's window, of the columns that were found so."""
    columns = {each.column for each in state.findings if each.statistic == UNSEEN}
    if not (applied.spec.alerting.tell_values and columns):
        return {}
    return unseen_values(
        connection,
        model_id=applied.model_id,
        version=decision.version,
        since=decision.window_end - decision.length * MINUTE_MILLIS,
        until=decision.window_end,
        columns=columns,
    )

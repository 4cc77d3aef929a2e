"""Deletes resolved incidents with all that belongs to them, closed deliveries, deployments that later ones replaced."""

import sqlalchemy as sa

INCIDENTS_AT_ONCE = 200

# One with a delivery that is still to be made stays until it is made. Open ones stay however old they are.
_RESOLVED = sa.text(
    """
    SELECT id FROM incident
    WHERE status = 'resolved' AND changed_at < now() - make_interval(days => :days)
      AND NOT EXISTS (SELECT FROM outbox WHERE outbox.incident_id = incident.id AND outbox.state = 'pending')
      AND NOT EXISTS (
        SELECT FROM action JOIN outbox ON outbox.action_id = action.id
        WHERE action.incident_id = incident.id AND outbox.state = 'pending'
      )
    ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_OF_INCIDENTS = (
    "DELETE FROM outbox WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM outbox WHERE action_id IN (SELECT id FROM action WHERE incident_id = ANY(CAST(:ids AS uuid[])))",
    "DELETE FROM action WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM transition WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM incident WHERE id = ANY(CAST(:ids AS uuid[]))",
)
_DELIVERIES = sa.text(
    """
    DELETE FROM outbox WHERE id = ANY(ARRAY(
        SELECT id FROM outbox
        WHERE closed_at < now() - make_interval(days => :days)
          AND incident_id IS NULL AND action_id IS NULL
        ORDER BY closed_at LIMIT :limit
    ))
    """
)
_DEPLOYMENTS = sa.text(
    """
    DELETE FROM deployment AS old USING deployment AS newer
    WHERE newer.event_time >= :since AND newer.event_time < :before
      AND old.model_id = newer.model_id AND old.version = newer.version AND old.stage = newer.stage
      AND (old.event_time, old.id) < (newer.event_time, newer.id)
    """
)


def drop_old_incidents(connection: sa.Connection, *, days: int, limit: int = INCIDENTS_AT_ONCE) -> int:
    """Delete incidents that were resolved *days* ago, with their steps, actions and deliveries; return how many."""
    found = connection.execute(_RESOLVED, {"days": days, "limit": limit}).scalars().all()
    if found:
        for statement in _OF_INCIDENTS:
            connection.execute(sa.text(statement), {"ids": [str(each) for each in found]})
    return len(found)


def drop_old_deliveries(connection: sa.Connection, *, days: int, limit: int = 5000) -> int:
    """Delete deliveries that were closed *days* ago and are of no incident, such as tests; return how many."""
    return connection.execute(_DELIVERIES, {"days": days, "limit": limit}).rowcount


def drop_old_deployments(connection: sa.Connection, *, since: int, before: int) -> int:
    """Delete deployment events that a later one in ``[since, before)`` (event time, ms) replaced; return how many.

    Where a version stood in each stage at *before* stays known, and all that happened since.
    """
    return connection.execute(_DEPLOYMENTS, {"since": since, "before": before}).rowcount

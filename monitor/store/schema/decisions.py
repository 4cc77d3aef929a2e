"""Evaluations, incidents, actions, deliveries."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from monitor.store.schema.columns import json_column, metadata, wall
from monitor.types import DeliveryState, IncidentStatus

# Both tables of evaluations have a partition per week of `window_end`, see `monitor.store.time_partitions`. `id` and
# `result` are of the version before results were packed, which may still be running; nothing fills them now.

evaluation = sa.Table(
    "evaluation",
    metadata,
    sa.Column("id", sa.BigInteger, nullable=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("length", sa.Integer, nullable=False),  # minutes
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("cells_id", sa.Integer, nullable=False),
    sa.Column("spec_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("reference_id", sa.Integer, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("previous_events", sa.BigInteger, nullable=False),  # of the disjoint window before, which it also read
    sa.Column("sampled", sa.BigInteger, nullable=False),  # of the events, in the ledger
    sa.Column("step_sampled", sa.BigInteger, nullable=True),  # of them in the window's last step; null: not known
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=True),
    wall("evaluated_at"),
    sa.Column("packed", sa.LargeBinary, nullable=True),  # by monitor.result_codec; null: `result` has it as JSON
    sa.UniqueConstraint("series_id", "length", "window_end", "cells_id", "spec_version", "revision"),
    postgresql_partition_by="RANGE (window_end)",
)

performance_evaluation = sa.Table(
    "performance_evaluation",
    metadata,
    sa.Column("id", sa.BigInteger, nullable=True),
    sa.Column("series_id", sa.ForeignKey("series.id"), nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("spec_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("sampled", sa.BigInteger, nullable=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    sa.Column("correct", sa.BigInteger, nullable=False),
    sa.Column("mature", sa.Boolean, nullable=False),
    sa.Column("accuracy", sa.Double, nullable=True),
    sa.Column("low", sa.Double, nullable=True),
    sa.Column("high", sa.Double, nullable=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=True),
    wall("evaluated_at"),
    sa.Column("packed", sa.LargeBinary, nullable=True),  # by monitor.result_codec; null: `result` has it as JSON
    sa.UniqueConstraint("series_id", "output", "length", "window_end", "spec_version", "revision"),
    postgresql_partition_by="RANGE (window_end)",
)

scale_progress = sa.Table(  # how far the windows of one length of a model are evaluated, all its series at once
    "scale_progress",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),  # minutes
    sa.Column("evaluated_until", sa.BigInteger, nullable=False),
    sa.Column("final_until", sa.BigInteger, nullable=False),  # up to here revised once more after lateness had passed
    sa.Column("judged_after", sa.BigInteger, nullable=True),  # where a scale began that the spec got later; null: ever
)

revision_due = sa.Table(  # event time whose counts changed after windows that read it were evaluated
    "revision_due",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),  # of the minute
    # After the minute's own: up to where the series was thought to begin before, so that its windows are no longer new.
    sa.Column("stop", sa.BigInteger, nullable=False),
    wall("due_at"),
    sa.Index(None, "series_id"),
)

judge_again = sa.Table(  # windows of one series and scale that were evaluated before a deployment was known
    "judge_again",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("series_id", sa.ForeignKey("series.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("after", sa.BigInteger, nullable=False),  # those that end in (after, until] (ms)
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Index(None, "series_id"),
)

evaluated_until = sa.Table(  # progress of the version before, per series; removed with the next release
    "evaluated_until",
    metadata,
    sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("final_until", sa.BigInteger, nullable=True),  # up to here compared once more after lateness had passed
)

heartbeat = sa.Table(  # processes of a role that are at work, among whom the models are shared
    "heartbeat",
    metadata,
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, primary_key=True),
    wall("at"),
    sa.Column("models_turned", sa.Integer, nullable=False),  # in its last sweep
    sa.Column("oldest_due", sa.BigInteger, nullable=True),  # window end (ms) of its model furthest behind; null: none
)

model_turn = sa.Table(  # when an alerter last looked at a model and found nothing in the way
    "model_turn",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    wall("turned_at", nullable=True),  # null: never
    sa.Column("failures", sa.BigInteger, nullable=False, server_default="0"),  # looks that failed, ever
    sa.Column("problem", sa.Text, nullable=True),  # of the last look; null: it was fine
)

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),  # open, resolved
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # canonical JSON of IncidentState
    sa.Column("first_end", sa.BigInteger, nullable=False),
    sa.Column("last_end", sa.BigInteger, nullable=False),
    sa.Column("resolved_end", sa.BigInteger, nullable=True),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False, server_default="0"),  # of its newest step or message
    wall("opened_at"),
    wall("changed_at"),
    sa.Index(None, "model_id", "version", "kind"),
    sa.Index("ix_incident_open", "model_id", postgresql_where=sa.text(f"status = '{IncidentStatus.OPEN}'")),
    sa.Index("ix_incident_resolved", "changed_at", postgresql_where=sa.text(f"status = '{IncidentStatus.RESOLVED}'")),
)

IS_OPEN = incident.c.status == sa.literal(IncidentStatus.OPEN.value, literal_execute=True)
"""Written into the statement, so that Postgres knows that the index of open ones holds all it asks for."""

transition = sa.Table(  # every step of an incident with its reason; append-only
    "transition",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    wall("decided_at"),
    sa.Index(None, "incident_id"),
)

action = sa.Table(  # proposed retrainings and rollbacks, refused ones with their reason
    "action",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # retraining, rollback
    sa.Column("state", sa.Text, nullable=False),  # of ActionState; the newest of its steps
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("from_version", sa.Text, nullable=False),
    sa.Column("to_version", sa.Text, nullable=True),
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    json_column("request"),
    wall("decided_at"),
    wall("expires_at", nullable=True),  # of one that waits for approval
    sa.Index(None, "model_id", "kind"),
    sa.Index(None, "incident_id"),
)

action_step = sa.Table(  # every state of an action; append-only
    "action_step",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("action_id", sa.ForeignKey("action.id", ondelete="CASCADE"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=True),  # a person; null: Driftline
    sa.Column("why", sa.Text, nullable=False),
    wall("at"),
    sa.Index(None, "action_id"),
)

hold = sa.Table(  # actions that people stopped: of one model, of a namespace, or of all where both are null
    "hold",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), nullable=True, index=True),
    sa.Column("namespace", sa.Text, nullable=True),
    sa.Column("kind", sa.Text, nullable=True),  # of ActionKind; null: every kind
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    wall("since"),
    wall("until", nullable=True),  # null: until it is released
    wall("released_at", nullable=True),
    sa.Column("released_by", sa.Text, nullable=True),
    sa.Column("released_why", sa.Text, nullable=True),
)

endpoint = sa.Table(
    "endpoint",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    # As people read it: model/role/local_name, which two models may share; the program before knows it by this alone.
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), nullable=True),  # null: of the program before
    sa.Column("role", sa.Text, nullable=True),  # receivers, actions
    sa.Column("local_name", sa.Text, nullable=True),  # the receiver's name in the spec, or the action's kind
    sa.Column("type", sa.Text, nullable=False),  # file name in alerting/receivers
    sa.Column("url", sa.Text, nullable=True),
    sa.Column("secret_env", sa.Text, nullable=True),
    sa.Column("host", sa.Text, nullable=True),  # of its URL, with scheme and port
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    wall("broken_until", nullable=True),
    wall("last_success_at", nullable=True),
    sa.Index(None, "model_id", "role", "local_name", unique=True),
)

unanswering_host = sa.Table(  # hosts that did not answer the last attempts, of any model
    "unanswering_host",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    wall("broken_until", nullable=True),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # notification, action
    sa.Column("event_type", sa.Text, nullable=False),  # model.incident.opened, model.retrain.requested, …
    sa.Column("endpoint_id", sa.ForeignKey("endpoint.id"), nullable=False),
    sa.Column("incident_id", sa.ForeignKey("incident.id"), nullable=True),
    sa.Column("action_id", sa.ForeignKey("action.id"), nullable=True),
    sa.Column("dedupe_key", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the exact bytes that are signed
    sa.Column("model_id", sa.Integer, nullable=True),  # of the program before: null
    sa.Column("receiver", sa.Text, nullable=True),  # name in the spec; null: an action's request
    sa.Column("sequence", sa.Integer, nullable=True),  # of the message's first incident
    wall("undelivered_since", nullable=True),  # where it took the place of an older message; null: its own time
    sa.Column("urgency", sa.SmallInteger, nullable=False, server_default="2"),  # of Urgency
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),  # of DeliveryState
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    wall("next_attempt_at"),
    sa.Column("lease_owner", sa.Text, nullable=True),
    sa.Column("lease_epoch", sa.BigInteger, nullable=False, server_default="0"),
    wall("lease_until", nullable=True),
    wall("not_after", nullable=True),
    # When lease or next attempt were written: a clock that is behind this was set back, and neither counts any more.
    wall("waits_since", nullable=True),
    sa.Column("maybe_received", sa.Boolean, nullable=False, server_default=sa.false()),  # an attempt had no answer
    sa.Column("last_status", sa.Integer, nullable=True),
    sa.Column("last_error", sa.Text, nullable=True),
    wall("created_at"),
    wall("closed_at", nullable=True),
    sa.Index(None, "incident_id"),
    sa.Index(None, "action_id"),
    sa.Index("ix_outbox_closed_at", "closed_at", postgresql_where=sa.text("closed_at IS NOT NULL")),
    sa.Index("ix_outbox_due", "next_attempt_at", postgresql_where=sa.text(f"state = '{DeliveryState.PENDING}'")),
)

notified = sa.Table(  # what each receiver was sent last of an incident
    "notified",
    metadata,
    sa.Column("incident_id", sa.ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("receiver", sa.Text, primary_key=True),  # name in the spec
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("tier", sa.SmallInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),  # trigger, update, end
    wall("at"),
    sa.Column("outbox_id", sa.ForeignKey("outbox.id", ondelete="SET NULL"), nullable=True),
    sa.Index(None, "outbox_id"),
)

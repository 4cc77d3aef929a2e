"""The applied models: specs, cells, references, series, and the live time blocks of rolling references."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from monitor.store.schema.columns import metadata, wall

configuration = sa.Table(
    "configuration",
    metadata,
    sa.Column("only", sa.Boolean, sa.CheckConstraint("only", name="only"), primary_key=True, server_default=sa.true()),
    sa.Column("generation", sa.BigInteger, nullable=False),  # moved by `apply`; each flush reads it
)

model = sa.Table(
    "model",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # The switch of the version before; `hold` has its place. Removed with the next release.
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
    wall("created_at"),
    wall("removing_since", nullable=True),  # `models remove` has begun with it: it is not applied, and may not be
    sa.UniqueConstraint("namespace", "name"),
)

spec = sa.Table(
    "spec",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),  # the YAML as the user wrote it
    sa.Column("cells_id", sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("reference_id", sa.ForeignKey("reference.id"), nullable=False),
    # Where a reference was adopted since `apply`: the one of the spec's file; null: `reference_id` is that one.
    sa.Column("adopted_over", sa.ForeignKey("reference.id"), nullable=True),
    wall("applied_at"),
)

cells = sa.Table(
    "cells",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("layout", sa.LargeBinary, nullable=False),
    sa.Column("effective_from", sa.BigInteger, nullable=False),  # pane start (ms) from which events are counted on them
    sa.Column("column_names", ARRAY(sa.Text), nullable=True),  # of the layout; null: by the version before
    # Cells may come back later: the same layout again, under an id of its own.
    sa.UniqueConstraint("model_id", "digest", "effective_from"),
)

reference = sa.Table(
    "reference",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("cells_id", sa.ForeignKey("cells.id"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Column("base_id", sa.ForeignKey("reference.id"), nullable=True),  # a rolling one: whose cells and bins it has
    wall("created_at"),
    sa.UniqueConstraint("model_id", "digest"),
)

model_version = sa.Table(  # versions with a place of their own; without events for a week they lose it
    "model_version",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("newest_hour", sa.BigInteger, nullable=False),  # start of the hour of its newest events, about
)

version_reference = sa.Table(  # what the prediction of one version is compared with
    "version_reference",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),  # of_model: it is the first one, and has none of its own
    # The frozen one that was in force; another one that people adopt later speaks for the version too.
    sa.Column("reference_id", sa.ForeignKey("reference.id", ondelete="CASCADE"), nullable=False),
    sa.Column("cells_id", sa.ForeignKey("cells.id", ondelete="CASCADE"), nullable=False),
    sa.Column("used_from", sa.BigInteger, nullable=False),  # windows that end then (ms) or later are compared with it
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("counts", sa.LargeBinary, nullable=True),  # as of panes; null: `of_model`
    wall("created_at"),
)

version_adoption = sa.Table(  # which profile was adopted for the prediction of one version, decision by decision
    "version_adoption",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("profile_id", sa.ForeignKey("reference.id", ondelete="CASCADE"), nullable=False),
    # As of `version_reference`: the frozen one that was in force then.
    sa.Column("reference_id", sa.ForeignKey("reference.id", ondelete="CASCADE"), nullable=False),
    sa.Column("cells_id", sa.ForeignKey("cells.id", ondelete="CASCADE"), nullable=False),
    sa.Column("used_from", sa.BigInteger, nullable=False),  # windows that end then (ms) or later are compared with it
    sa.Column("adopted_by", sa.Text, nullable=False),  # person, or manifest: of a deployment event
    wall("created_at"),
)

version_warm_up = sa.Table(  # by which first deployment the windows of a version were judged
    "version_warm_up",
    metadata,
    sa.Column("model_id", sa.ForeignKey("model.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("deployed_at", sa.BigInteger, nullable=False),
    sa.Column("warming", sa.Boolean, nullable=False),  # false: it is not new, and has no warm-up
    # Final windows up to here were judged before the deployment was known, and stay so; null: there are none.
    sa.Column("unrevised_until", sa.BigInteger, nullable=True),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("model.id"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("segment_tag", sa.Text, nullable=False),
    sa.Column("segment_value", sa.Text, nullable=False),
    wall("created_at"),
    wall("empty_since", nullable=True),  # maintain found nothing of it any more, and removes it when that lasts
    # Whole hours of event time that hold all its panes, kept by evaluation; null: not known, so it is looked at.
    sa.Column("counted_from", sa.BigInteger, nullable=True),
    sa.Column("counted_until", sa.BigInteger, nullable=True),
    sa.UniqueConstraint("model_id", "version", "segment_tag", "segment_value"),
    sa.Index(None, "model_id", "counted_until"),
)

live_block = (
    sa.Table(  # counts of one block of live time on the bins of a reference: how its columns move by themselves
        "live_block",
        metadata,
        sa.Column("series_id", sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
        sa.Column("reference_id", sa.ForeignKey("reference.id"), primary_key=True, autoincrement=False),
        sa.Column("minutes", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),  # as of panes: for each column its bins, then its slots
        sa.Index(None, "start"),
    )
)

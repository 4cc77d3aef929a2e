"""A deployment event may come after windows of its time were judged: what they were judged by, which are due again."""

from migrations.brief_locks import briefly

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The program of before removes models and series without knowing of these rows: they go with them.
    briefly(
        """
        CREATE TABLE IF NOT EXISTS version_warm_up (
            model_id integer NOT NULL
                CONSTRAINT fk_version_warm_up_model_id REFERENCES model (id) ON DELETE CASCADE,
            version text NOT NULL,
            deployed_at bigint NOT NULL,
            warming boolean NOT NULL,
            unrevised_until bigint,
            CONSTRAINT pk_version_warm_up PRIMARY KEY (model_id, version)
        )
        """
    )
    briefly(
        """
        CREATE TABLE IF NOT EXISTS judge_again (
            model_id integer NOT NULL
                CONSTRAINT fk_judge_again_model_id REFERENCES model (id) ON DELETE CASCADE,
            series_id integer NOT NULL
                CONSTRAINT fk_judge_again_series_id REFERENCES series (id) ON DELETE CASCADE,
            length integer NOT NULL,
            after bigint NOT NULL,
            until bigint NOT NULL,
            CONSTRAINT pk_judge_again PRIMARY KEY (model_id, series_id, length)
        );
        CREATE INDEX IF NOT EXISTS ix_judge_again_series_id ON judge_again (series_id)
        """
    )
    # Windows so far were judged by the events that are here: none of them comes late.
    briefly(
        """
        INSERT INTO version_warm_up (model_id, version, deployed_at, warming)
        SELECT model_id, version, min(event_time), true FROM deployment
        WHERE stage <> 'retired' AND assumed_since IS NULL
        GROUP BY model_id, version
        ON CONFLICT DO NOTHING
        """
    )

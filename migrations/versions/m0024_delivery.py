"""An endpoint belongs to one model, whatever others are called; hosts that do not answer; unanswered attempts."""

from migrations.brief_locks import add_index, briefly

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    briefly(
        """
        CREATE TABLE IF NOT EXISTS unanswering_host (
            host text CONSTRAINT pk_unanswering_host PRIMARY KEY,
            failures integer NOT NULL,
            broken_until timestamptz
        )
        """
    )
    # The program of before goes on to know endpoints by `name`, and leaves the new columns empty; it removes a model
    # without knowing that its endpoints refer to it: they go with it.
    briefly(
        """
        ALTER TABLE endpoint
            ADD COLUMN IF NOT EXISTS model_id integer,
            ADD COLUMN IF NOT EXISTS role text,
            ADD COLUMN IF NOT EXISTS local_name text,
            ADD COLUMN IF NOT EXISTS host text,
            ADD COLUMN IF NOT EXISTS last_success_at timestamptz
        """
    )
    briefly(
        """
        ALTER TABLE endpoint DROP CONSTRAINT IF EXISTS fk_endpoint_model_id;
        ALTER TABLE endpoint ADD CONSTRAINT fk_endpoint_model_id
            FOREIGN KEY (model_id) REFERENCES model (id) ON DELETE CASCADE
        """
    )
    briefly(
        """
        ALTER TABLE outbox
            ADD COLUMN IF NOT EXISTS waits_since timestamptz,
            ADD COLUMN IF NOT EXISTS maybe_received boolean NOT NULL DEFAULT false
        """
    )
    # A name that two models are written by stays with neither: the alerter makes a row for each.
    briefly(
        """
        WITH owner AS (
            SELECT endpoint.id, min(model.id) AS model_id, min(place.role) AS role,
                min(substr(endpoint.name, length(written.prefix) + 1)) AS local_name
            FROM endpoint
            CROSS JOIN (VALUES ('receivers'), ('actions')) AS place (role)
            CROSS JOIN model
            CROSS JOIN LATERAL (
                SELECT CASE WHEN model.namespace = 'default' THEN '' ELSE model.namespace || '/' END
                    || model.name || '/' || place.role || '/' AS prefix
            ) AS written
            WHERE starts_with(endpoint.name, written.prefix)
            GROUP BY endpoint.id HAVING count(*) = 1
        )
        UPDATE endpoint SET model_id = owner.model_id, role = owner.role, local_name = owner.local_name
        FROM owner WHERE owner.id = endpoint.id AND endpoint.model_id IS NULL
        """
    )
    add_index("ix_endpoint_model_id_role_local_name", "endpoint (model_id, role, local_name)", unique=True)

"""Who was notified of what: a row per incident and receiver, messages numbered within their incident."""

from migrations.brief_locks import briefly

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    briefly("ALTER TABLE incident ADD COLUMN IF NOT EXISTS sequence integer NOT NULL DEFAULT 0")
    briefly(
        """
        ALTER TABLE outbox
            ADD COLUMN IF NOT EXISTS model_id integer,
            ADD COLUMN IF NOT EXISTS receiver text,
            ADD COLUMN IF NOT EXISTS sequence integer,
            ADD COLUMN IF NOT EXISTS undelivered_since timestamptz,
            ADD COLUMN IF NOT EXISTS urgency smallint NOT NULL DEFAULT 2
        """
    )
    briefly("UPDATE outbox SET urgency = 0 WHERE state = 'pending' AND kind = 'action'")
    # The program of before deletes incidents and deliveries without knowing of these rows. It also goes on notifying:
    # whom it notified of the incidents that are open is written once the alerter of now has one of them.
    briefly(
        """
        CREATE TABLE IF NOT EXISTS notified (
            incident_id uuid NOT NULL
                CONSTRAINT fk_notified_incident_id REFERENCES incident (id) ON DELETE CASCADE,
            receiver text NOT NULL,
            sequence integer NOT NULL,
            tier smallint NOT NULL,
            event text NOT NULL,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            outbox_id uuid
                CONSTRAINT fk_notified_outbox_id REFERENCES outbox (id) ON DELETE SET NULL,
            CONSTRAINT pk_notified PRIMARY KEY (incident_id, receiver)
        );
        CREATE INDEX IF NOT EXISTS ix_notified_outbox_id ON notified (outbox_id)
        """
    )

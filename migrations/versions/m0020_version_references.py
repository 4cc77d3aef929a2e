"""A version may have a reference of its prediction of its own: learnt in its warm-up, or adopted for it."""

from migrations.brief_locks import briefly

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The program of before removes models, references and cells without knowing of these rows: they go with them.
    briefly(
        """
        CREATE TABLE IF NOT EXISTS version_reference (
            model_id integer NOT NULL
                CONSTRAINT fk_version_reference_model_id REFERENCES model (id) ON DELETE CASCADE,
            version text NOT NULL,
            source text NOT NULL,
            reference_id integer NOT NULL
                CONSTRAINT fk_version_reference_reference_id REFERENCES reference (id) ON DELETE CASCADE,
            cells_id integer NOT NULL
                CONSTRAINT fk_version_reference_cells_id REFERENCES cells (id) ON DELETE CASCADE,
            used_from bigint NOT NULL,
            minutes integer NOT NULL,
            events bigint NOT NULL,
            counts bytea,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT pk_version_reference PRIMARY KEY (model_id, version)
        )
        """
    )

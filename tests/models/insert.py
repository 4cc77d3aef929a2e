"""The one way in which a test puts a model in force."""

import sqlalchemy as sa

from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.store.configuration import AppliedModel, apply_spec, load_configuration


def insert_model(connection: sa.Connection, text: str, profile: ReferenceProfile) -> AppliedModel:
    """Put spec *text* and *profile* in force as `driftline apply` does, but unasked whether the two agree."""
    applied = apply_spec(connection, text=text, parsed=parse_spec(text, source="test"), profile=profile)
    loaded = load_configuration(connection).models
    return next(model for model in loaded if model.model_id == applied.model_id)

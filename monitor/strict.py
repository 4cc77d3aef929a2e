"""What every part of a spec is made of: frozen models that know all their keys, and the types of plain values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """Frozen; an unknown key is an error, not a silent no-op."""

    model_config = ConfigDict(extra="forbid", frozen=True)

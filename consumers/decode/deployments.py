"""Deployment events in JSON: which version serves, with what share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.decode.columns import RecordRefusal, refusal_of
from consumers.decode.fields import malformed, name_field, number
from consumers.decode.routing import ModelDirectory, json_object
from consumers.decode.times import time_field
from monitor.errors import InvalidMessage
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import Stage

_STAGES = [member.value for member in Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedDeployment:
    """One change of a version's stage; *traffic* is a share, *manifest* a JSON object."""

    row: int
    model: AppliedModel
    version: str
    event_time: int
    stage: Stage
    traffic: float | None
    manifest: bytes | None


class DeploymentDecoder:
    """Decodes batches of the deployments' topics under one configuration; rare, so without a fast reading."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = ModelDirectory(configuration)

    def decode(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None
    ) -> tuple[list[DecodedDeployment], dict[int, RecordRefusal]]:
        """Return the deployments in *bodies*, in order, and by row what was refused."""
        deployments: list[DecodedDeployment] = []
        refused: dict[int, RecordRefusal] = {}
        for row, body in enumerate(bodies):
            model = None
            try:
                document = json_object(body)
                model = self._directory.of_document(document, namespaces[row] if namespaces else "")
                deployments.append(_deployment(row, model, document))
            except InvalidMessage as error:
                refused[row] = refusal_of(error, model)
        return deployments, refused


def _deployment(row: int, model: AppliedModel, document: dict[str, Any]) -> DecodedDeployment:
    stage = document.get("stage")
    if not isinstance(stage, str) or stage not in _STAGES:
        raise malformed("stage", f"one of {', '.join(_STAGES)}", stage)
    traffic = number(document.get("traffic"))
    if traffic is not None and not 0 <= traffic <= 1:
        raise malformed("traffic", "a share between 0 and 1", document.get("traffic"))
    return DecodedDeployment(
        row=row,
        model=model,
        version=name_field(document, "version"),
        event_time=time_field(document),
        stage=Stage(stage),
        traffic=traffic,
        manifest=_manifest(document.get("manifest")),
    )


def _manifest(value: Any) -> bytes | None:
    if value is None:
        return None
    try:
        encoded = msgspec.json.encode(value)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise malformed("manifest", "a JSON object", value) from error
    # jsonb knows neither NUL nor, written by msgspec as null, numbers that are not finite
    if not isinstance(value, dict) or b"\\u0000" in encoded:
        raise malformed("manifest", "a JSON object without NUL", value)
    return encoded

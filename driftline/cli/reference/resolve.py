"""Resolves how a command names a reference: a stored id, a profile file, a model, or MODEL@rolling."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.files import named_files
from driftline.cli.options import opened_database, read_spec_text
from monitor.maintain.rolling_reference import build_rolling
from monitor.planning import Traffic, reference_traffic
from monitor.reference.description import spec_of_profile
from monitor.reference.profile import ReferenceProfile, decode_profile
from monitor.settings import Settings, load_settings
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.configuration import load_configuration, model_named, model_names
from monitor.store.database_clock import database_now_millis
from monitor.store.engine import snapshot
from monitor.store.references import ReferenceRow, StoredReference, reference_by_id, reference_in_force
from monitor.store.series import recent_events_per_minute
from monitor.store.topics import read_partitions
from monitor.types import TopicRole
from monitor.windows.watermark import watermark_of, watermark_rules

ROLLING = "@rolling"
HIGHEST_ID = 2**31 - 1
REFERENCE_HELP = (
    "The id of a stored reference, a profile file, a model (the one in force), or MODEL@rolling: the approved hours of "
    "its last seven days."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReference:
    """One reference and how it is looked at.

    Attributes:
        label: For people.
        row: Of a stored one.
        model_id: Of a stored or a rolling one.
        base_id: Of a rolling one, the reference whose cells and bins it has.
        traffic: Of its model, or the reference's own; None: not known.
    """

    label: str
    row: ReferenceRow | None
    model_id: int | None
    base_id: int | None
    profile: ReferenceProfile
    spec: ModelSpec
    traffic: Traffic | None


def given_reference(text: str, *, spec: Path | None = None) -> GivenReference:
    """Return the reference that *text* names.

    Args:
        spec: Of a profile file, the spec that it is looked at with; None: the columns of the profile and defaults.

    Raises:
        WrongUseError: There is none of that name.
        SpecError: The file is no profile, or the spec is none.
    """
    with named_files():
        if not text.isdecimal() and (Path(text).is_file() or text.endswith(".reference")):
            return _of_file(Path(text), spec)
    settings = load_settings()
    with opened_database(settings) as engine, snapshot(engine) as connection:
        if text.endswith(ROLLING):
            return _rolling(connection, text.removesuffix(ROLLING), settings)
        reference = _stored(connection, text)
        traffic = recent_events_per_minute(connection, reference.row.model_id)
    row = reference.row
    return GivenReference(
        label=f"reference {row.reference_id} of {row.model}",
        row=row,
        model_id=row.model_id,
        base_id=row.base_id,
        profile=reference.profile,
        spec=reference.spec,
        traffic=_traffic(traffic) or reference_traffic(reference.profile),
    )


def _rolling(connection: sa.Connection, model: str, settings: Settings) -> GivenReference:
    model_id = known_model(connection, model)
    applied = next(
        (candidate for candidate in load_configuration(connection).models if candidate.model_id == model_id), None
    )
    partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=settings.predictions_topics)
    rules = watermark_rules(settings)
    watermark = watermark_of(partitions, now=database_now_millis(connection), rules=rules).value
    if applied is None or watermark is None:
        raise WrongUseError(f"{model}{ROLLING}: expected counted events, found none; is `driftline ingest` running?")
    built = build_rolling(connection, applied, watermark=watermark, rules=rules)
    if built.profile is None:
        raise WrongUseError(f"{model}{ROLLING}: {built.why}")
    return GivenReference(
        label=f"the rolling reference of {applied.key}",
        row=None,
        model_id=model_id,
        base_id=built.base_id,
        profile=built.profile,
        spec=applied.spec,
        traffic=_traffic(recent_events_per_minute(connection, model_id)) or reference_traffic(built.profile),
    )


def _traffic(events_per_minute: float | None) -> Traffic | None:
    if events_per_minute is None:
        return None
    return Traffic(events_per_minute=events_per_minute, source="its newest windows")


def _stored(connection: sa.Connection, text: str) -> StoredReference:
    if text.isdecimal():
        reference = reference_by_id(connection, int(text)) if int(text) <= HIGHEST_ID else None
    else:
        model_id = model_named(connection, text)
        reference = None if model_id is None else reference_in_force(connection, model_id)
    if reference is None:
        known = ", ".join(model_names(connection)) or "none"
        raise WrongUseError(
            f"reference {text}: expected a profile file, the id of a stored reference (`driftline reference list`), "
            f"an applied model ({known}) or MODEL@rolling; found none of them"
        )
    return reference


def known_model(connection: sa.Connection, text: str) -> int:
    """Return the id of the model that is written *text*.

    Raises:
        WrongUseError: There is none; says which there are.
    """
    model_id = model_named(connection, text)
    if model_id is None:
        known = ", ".join(model_names(connection)) or "none; `driftline apply` stores the first"
        raise WrongUseError(f"model {text}: expected an applied one ({known})")
    return model_id


def _of_file(path: Path, spec: Path | None) -> GivenReference:
    if not path.is_file():
        raise WrongUseError(
            f"{path}: expected a reference profile, found no file; `driftline reference build` writes one"
        )
    profile = decode_profile(path.read_bytes(), source=str(path))
    parsed = (
        spec_of_profile(profile, model=path.stem)
        if spec is None
        else parse_spec(read_spec_text(spec), source=str(spec))
    )
    return GivenReference(
        label=str(path),
        row=None,
        model_id=None,
        base_id=None,
        profile=profile,
        spec=parsed,
        traffic=reference_traffic(profile),
    )

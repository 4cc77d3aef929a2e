"""`driftline apply`: checks a spec against its reference and stores both."""

import os

from alerting.delivery.endpoint_checks import MissingSecret, missing_secrets, require_usable_urls
from driftline.cli.options import SpecFile, opened_database, read_reference, read_spec_text
from driftline.cli.output import AsJson, print_json_line, print_line
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.reference.checks import uncalibrated_lengths
from monitor.reference.profile import ReferenceProfile
from monitor.settings import load_settings
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.configuration import ApplyOutcome, apply_spec, load_reference


def apply(spec: SpecFile, as_json: AsJson = False) -> None:
    """Check a model spec and its reference profile, and store both.

    New cells take effect at a pane start two minutes from now; a model's first ones count from the beginning of its
    topic. Applying what is in force already changes nothing, and a reference that was adopted meanwhile
    (`driftline reference adopt`) stays until the spec names another profile.

    Exit code 2: spec or profile are not usable, every problem is listed; 3: the database cannot be reached or has
    another schema.
    """
    text = read_spec_text(spec)
    parsed = parse_spec(text, source=str(spec))
    require_usable_urls(parsed, source=str(spec))
    profile = read_reference(spec, parsed)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        applied = apply_spec(connection, text=text, parsed=parsed, profile=profile)
        if applied.adopted_over is not None:
            profile = load_reference(connection, applied.reference_id)
    missing = missing_secrets(parsed, os.environ)
    if as_json:
        print_json_line(_document(parsed, profile, applied, missing))
    else:
        _print(parsed, profile, applied)
        _print_missing(missing)


def _effective(applied: ApplyOutcome) -> str:
    if applied.effective_from == 0:
        return "the beginning of its topic"
    return f"the minute {iso_utc(applied.effective_from)}"


def _document(
    spec: ModelSpec, profile: ReferenceProfile, applied: ApplyOutcome, missing: tuple[MissingSecret, ...]
) -> dict[str, object]:
    return {
        "namespace": spec.namespace,
        "model": spec.model,
        "changed": applied.changed,
        "spec_version": applied.spec_version,
        "cells_id": applied.cells_id,
        "cells": profile.layout.size,
        "reference_id": applied.reference_id,
        "effective_from": applied.effective_from,
        "adopted_over": applied.adopted_over,
        "secrets_not_here": [f"{secret.endpoint}: {secret.problem}" for secret in missing],
        "uncalibrated": [span_text(length) for length in uncalibrated_lengths(spec, profile)],
    }


def _print(spec: ModelSpec, profile: ReferenceProfile, applied: ApplyOutcome) -> None:
    columns = len(profile.layout.columns)
    cells = sum(column.cells for column in profile.layout.columns)
    if applied.changed:
        print_line(f"Applied {spec.key}: spec version {applied.spec_version}.")
    else:
        print_line(f"Nothing changed: {spec.key} has this spec and reference already, version {applied.spec_version}.")
    if applied.adopted_over is not None:
        print_line(
            f"Reference {applied.reference_id}, adopted since, stays in force instead of the profile of this spec; "
            f"`driftline reference adopt {spec.key} {applied.adopted_over}` goes back to that."
        )
    print_line(f"{columns} columns in {cells:,} cells (id {applied.cells_id}), counted from {_effective(applied)} on.")
    if lengths := uncalibrated_lengths(spec, profile):
        shown = ", ".join(span_text(length) for length in lengths)
        print_line(f"Uncalibrated at {shown}: the reference does not show the natural movement of columns there.")


def _print_missing(missing: tuple[MissingSecret, ...]) -> None:
    """Name secrets that are not there; the alerter may run elsewhere, with an environment of its own."""
    for secret in missing:
        print_line(
            f"Not here: the secret of {secret.endpoint}: {secret.problem}. The alerter needs it where it runs; until "
            "then what is for this endpoint waits."
        )

"""`driftline plan`: what a spec will see at a model's traffic, before there is anything to judge."""

from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.console import AsJson, print_json
from driftline.cli.exits import WrongUseError
from driftline.cli.plan_text import print_plan
from driftline.cli.spec_and_reference import read_reference, read_spec_text
from monitor.planning import Traffic, plan_of, reference_traffic
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec


def plan(
    spec: Annotated[Path, typer.Argument(help="The model spec, a YAML file as `driftline init` writes it.")],
    events_per_minute: Annotated[
        float | None,
        typer.Option(help="Predictions of one version that come in, on average; default as in the reference."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a spec will see: false alarms a month, events needed, time to notice, and what to change.

    Reads the spec and its reference profile; no server is asked and nothing is stored. The figures are computed with
    the thresholds of the rule itself: 90 % is the probability with which a change is found.

    Exit code 2: spec or profile are not usable, or the traffic is not known.
    """
    parsed = parse_spec(read_spec_text(spec), source=str(spec))
    profile = read_reference(spec, parsed)
    planned = plan_of(parsed, profile, traffic=_traffic(profile, events_per_minute))
    if as_json:
        print_json(planned)
    else:
        print_plan(planned)


def _traffic(profile: ReferenceProfile, events_per_minute: float | None) -> Traffic:
    if events_per_minute is None:
        found = reference_traffic(profile)
        if found is None:
            raise WrongUseError(
                "traffic: expected time stamps in the reference to take it from, found none; say how many predictions"
                " one version makes with --events-per-minute"
            )
        return found
    if not events_per_minute > 0:
        raise WrongUseError(f"--events-per-minute: expected more than 0, found {events_per_minute:g}")
    return Traffic(events_per_minute=events_per_minute, source="--events-per-minute")

"""`driftline reference adopt`: puts a reference in force for a model, or for one version, without a restart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import ModelName, opened_database
from driftline.cli.output import AsJson, print_json, print_line
from driftline.cli.reference.adopt_of_version import adopt_of_version
from driftline.cli.reference.resolve import REFERENCE_HELP, ROLLING, GivenReference, given_reference, known_model
from monitor.errors import SpecError
from monitor.humanize import moment
from monitor.planning.reference_report import too_few_rows
from monitor.settings import load_settings
from monitor.store.specs import AdoptOutcome, adopt_reference
from monitor.store.version_adoptions import versions_by_profile
from monitor.units import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleAfter:
    """From which moment (epoch ms) the windows of one scale are judged on the new cells alone; 0: at once."""

    scale: str
    judged_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What was done, as `--json` shows it; *versions_ended*: had a reference of their prediction of their own."""

    model: str
    changed: bool
    reference_id: int
    previous_id: int
    spec_version: int
    cells_id: int
    new_cells: bool
    effective_from: int
    scales: tuple[ScaleAfter, ...]
    versions_ended: tuple[str, ...]


def adopt(
    model: ModelName,
    reference: Annotated[str | None, typer.Argument(help=REFERENCE_HELP)] = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="The approved hours of the last seven days, as MODEL@rolling.")
    ] = False,
    version: Annotated[
        str | None,
        typer.Option(help="Only the predictions of this version, which the reference was built from (--cells-of)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a model's windows with another reference from now on; nothing has to be restarted.

    On the same cells only counts change, at the next evaluation. Other cells count from a pane start two minutes from
    now, and each scale is inconclusive (`new_cells`) until it is full of them. `driftline apply` leaves it in force
    until the spec's file names another profile; adopting an earlier id goes back. With `reference_policy: rolling` in
    the spec, `driftline maintain` adopts the rolling one once a day.

    With --version the prediction of that version alone is compared with it: a retrained or recalibrated version brings
    its own, best before it is deployed, and has no warm-up then. Inputs stay compared with the model's.

    Exit code 2: the reference has other columns than the spec (with --version: other cells of the prediction), or too
    few rows; every problem is listed.
    """
    if (reference is None) == (not rolling):
        raise WrongUseError("expected a reference or --rolling, found neither or both")
    if version is not None:
        adopt_of_version(model, version, reference, as_json=as_json)
        return
    given = given_reference(f"{model}{ROLLING}" if reference is None else reference)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        model_id = known_model(connection, model)
        if given.model_id not in (None, model_id):
            raise WrongUseError(f"{given.label}: expected a reference of {model}; adopt its profile file instead")
        before = versions_by_profile(connection, model_id)
        adopted = adopt_reference(connection, model_id=model_id, profile=given.profile, base_id=given.base_id)
        if refusal := too_few_rows(adopted.spec, given.profile):
            raise SpecError(given.label, (refusal,))
        after = versions_by_profile(connection, model_id)
    shown = _adoption(adopted, ended=tuple(sorted(_versions(before) - _versions(after))))
    if as_json:
        print_json(shown)
    else:
        _print(shown, given)


def _versions(by_profile: Mapping[int, tuple[str, ...]]) -> set[str]:
    return {version for versions in by_profile.values() for version in versions}


def _adoption(adopted: AdoptOutcome, *, ended: tuple[str, ...]) -> Adoption:
    start = adopted.effective_from if adopted.new_cells else 0
    return Adoption(
        model=str(adopted.spec.key),
        changed=adopted.changed,
        reference_id=adopted.reference_id,
        previous_id=adopted.previous_id,
        spec_version=adopted.spec_version,
        cells_id=adopted.cells_id,
        new_cells=adopted.new_cells,
        effective_from=adopted.effective_from,
        scales=tuple(
            ScaleAfter(scale=str(scale), judged_from=start + scale.length * MINUTE_MILLIS if start else 0)
            for scale in adopted.spec.scales
        ),
        versions_ended=ended,
    )


def _print(adoption: Adoption, given: GivenReference) -> None:
    if not adoption.changed:
        print_line(f"Nothing changed: reference {adoption.reference_id} is in force for {adoption.model} already.")
        return
    print_line(
        f"Adopted {given.label} for {adoption.model}: reference {adoption.reference_id} instead of "
        f"{adoption.previous_id}, spec version {adoption.spec_version}."
    )
    if adoption.new_cells:
        when = ", ".join(f"{scale.scale} from {moment(scale.judged_from)}" for scale in adoption.scales)
        print_line(
            f"New cells (id {adoption.cells_id}) count from the minute {moment(adoption.effective_from)} UTC on; until "
            f"a window is full of them it is inconclusive. Judged again: {when} UTC."
        )
    else:
        print_line("The same cells: the next window of every scale is compared with it.")
        if given.row is None and given.base_id is None:
            print_line(
                "Was it built from one version's predictions (--cells-of)? Then go back, and adopt it for that one: "
                f"`driftline reference adopt {adoption.model} {given.label} --version VERSION`."
            )
    for version in adoption.versions_ended:
        print_line(
            f"It speaks for version {version} as well, whose own reference is no longer used. To have one again, "
            f"counted on the cells now in force: `driftline reference adopt {adoption.model} REF --version {version}`."
        )
    print_line(
        f"`driftline apply` leaves it in force until the spec names another profile; to go back: "
        f"`driftline reference adopt {adoption.model} {adoption.previous_id}`."
    )

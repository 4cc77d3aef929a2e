"""`driftline reference adopt --version`: gives the prediction of one version a reference of its own."""

from dataclasses import dataclass

from consumers.decode.fields import LONGEST_NAME
from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import opened_database
from driftline.cli.output import print_json, print_line
from driftline.cli.reference.resolve import ROLLING, given_reference, known_model
from monitor.humanize import moment
from monitor.settings import load_settings
from monitor.store.version_adoptions import adopt_for_version


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionAdoptionLine:
    """What was done, as `--json` shows it.

    Attributes:
        reference_id: Under which the profile is stored.
        model_reference_id: Of the model: inputs and natural movement stay those of it.
        used_from: Windows that end then (epoch ms) or later are compared with it; 0: all of the version.
    """

    model: str
    version: str
    changed: bool
    reference_id: int
    model_reference_id: int
    used_from: int


def adopt_of_version(model: str, version: str, reference: str | None, *, as_json: bool) -> None:
    """Compare the prediction of *version* with *reference*, and say from when on.

    Raises:
        WrongUseError: *reference* is a rolling one, or another model's; no event can be of such a version.
        SpecError: It cannot be compared with the version's windows.
    """
    if not 0 < len(version) <= LONGEST_NAME:
        raise WrongUseError(
            f"--version: expected the name of a version, up to {LONGEST_NAME} characters, found {len(version)} of them"
        )
    if reference is None or reference.endswith(ROLLING):
        raise WrongUseError(
            f"--version {version}: expected a reference built from predictions of this version, found a rolling one, "
            "which is of the version in production"
        )
    given = given_reference(reference)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        model_id = known_model(connection, model)
        if given.model_id not in (None, model_id):
            raise WrongUseError(f"{given.label}: expected a reference of {model}; adopt its profile file instead")
        outcome = adopt_for_version(
            connection, model_id=model_id, version=version, profile=given.profile, source=given.label
        )
    adoption = outcome.adoption
    if as_json:
        print_json(
            VersionAdoptionLine(
                model=model,
                version=version,
                changed=outcome.changed,
                reference_id=adoption.profile_id,
                model_reference_id=adoption.reference_id,
                used_from=adoption.used_from,
            )
        )
        return
    if not outcome.changed:
        print_line(f"Nothing changed: version {version} of {model} has reference {adoption.profile_id} already.")
        return
    print_line(f"Adopted {given.label} for version {version} of {model}: reference {adoption.profile_id}.")
    if adoption.used_from:
        print_line(
            f"Its predictions are compared with it in windows that end after {moment(adoption.used_from)} UTC; a "
            "warm-up that it has ends then."
        )
    else:
        print_line("No event of this version is counted yet: all of its windows are compared with it, without warm-up.")
    if adoption.profile_id == adoption.reference_id:
        print_line("That is the model's own reference: this version is compared with it in everything.")
        return
    print_line(
        f"Inputs and natural movement stay those of reference {adoption.reference_id}. To undo it, and compare "
        f"its predictions with the model's again: `driftline reference adopt {model} {adoption.reference_id} "
        f"--version {version}`."
    )

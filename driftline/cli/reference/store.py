"""`driftline reference store`: keeps a profile for the deployment whose manifest will name it."""

from typing import Annotated

import typer

from driftline.cli.options import ModelName, opened_database
from driftline.cli.output import AsJson, print_json, print_line
from driftline.cli.reference.resolve import REFERENCE_HELP, given_reference, known_model
from monitor.errors import SpecError
from monitor.reference.prediction_profile import prediction_problems
from monitor.reference.profile import encode_profile
from monitor.settings import load_settings
from monitor.store.references import reference_in_force
from monitor.store.specs import lock_configuration, reference_digest
from monitor.store.version_adoptions import stored_profile


def store(
    model: ModelName,
    reference: Annotated[str, typer.Argument(help=REFERENCE_HELP)],
    as_json: AsJson = False,
) -> None:
    """Store a new version's own reference; the deployment that names its id or digest in its manifest adopts it.

    For pipelines that do not know the version's name yet; else `driftline reference adopt --version` is one step less.

    Exit code 2: other cells of the prediction than the model's (`reference build --cells-of`), or too few rows.
    """
    given = given_reference(reference)
    with opened_database(load_settings()) as engine, engine.begin() as connection:
        lock_configuration(connection)
        model_id = known_model(connection, model)
        in_force = reference_in_force(connection, model_id)
        if in_force is None:
            raise SpecError(model, ("expected a model with a reference in force, found none: run `driftline apply`",))
        if problems := prediction_problems(
            given.profile,
            in_force.profile.layout,
            model=str(in_force.spec.key),
            min_events=in_force.spec.windows.min_events,
        ):
            raise SpecError(given.label, problems)
        reference_id = stored_profile(connection, model_id, in_force.row.cells_id, given.profile)
    digest = reference_digest(encode_profile(given.profile))
    if as_json:
        print_json({"model": model, "reference_id": reference_id, "digest": digest})
        return
    print_line(f"Stored {given.label} for {model}: reference {reference_id}. That alone compares nothing with it.")
    print_line(f'Name it in the manifest of the version\'s deployment event: "manifest": {{"reference": "{digest}"}}')

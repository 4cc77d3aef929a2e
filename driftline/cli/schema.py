"""`driftline schema`: the JSON Schema of the model spec."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.spec.model import ModelSpec


def schema_text() -> str:
    """Return the JSON Schema of `ModelSpec`, as committed in docs/spec.schema.json."""
    return json.dumps(ModelSpec.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def schema(
    output: Annotated[Path | None, typer.Option(help="Write it here instead of to the terminal.")] = None,
) -> None:
    """Print the JSON Schema of the model spec, for editors and other tools.

    Beside a spec under the name spec.schema.json it is found by `driftline init`, which then writes the line that
    editors look for.
    """
    if output is None:
        typer.echo(schema_text(), nl=False)
    else:
        output.write_text(schema_text(), encoding="utf-8")

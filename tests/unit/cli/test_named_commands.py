"""The commands that refusals name exist, and take what they are given there."""

import re
import shlex
from typing import Any

import pytest
import typer.main

from alerting.actions.reasons import REFUSALS, Refusal, refusal_words
from driftline.cli.app import app

COMMAND = re.compile("`driftline ([^`]+)`")


@pytest.mark.parametrize("reason", [reason for reason in REFUSALS if COMMAND.search(refusal_words(reason))])
def test_every_command_that_a_refusal_names_is_one(reason: Refusal) -> None:
    """It is parsed as the program does, and not run."""
    for text in COMMAND.findall(refusal_words(reason)):
        arguments = shlex.split(text)
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands"):
            command = command.get_command(None, arguments.pop(0))
            assert command is not None, text
        command.make_context(command.name, arguments)


def test_the_new_state_is_learnt_by_the_models_own_spec() -> None:
    """Without `--spec` columns would be proposed, and without `--output` the reference in force is in the way."""
    learn, adopt = COMMAND.findall(refusal_words(Refusal.ADOPT_REFERENCE))
    assert learn == "reference learn --spec SPEC --last 7d --output NEW"
    assert adopt == "reference adopt MODEL NEW"

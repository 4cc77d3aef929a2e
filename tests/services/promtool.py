"""Prometheus' own checker of rules, `promtool`: whether it is there, and what it says of rules and series."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COMMAND = "promtool"


@dataclass(frozen=True)
class RuleCase:
    """Series in promtool's notation, a value a minute, by their names, and the alerts that fire after *at*."""

    name: str
    series: Mapping[str, str]
    at: str
    firing: tuple[Mapping[str, str], ...]


def is_here() -> bool:
    return shutil.which(COMMAND) is not None


def check(rules: Path) -> None:
    """Let promtool read the rules.

    Raises:
        AssertionError: It refuses them; has its words.
    """
    _run("check", "rules", str(rules))


def run_cases(rules: Path, cases: list[RuleCase], *, directory: Path) -> None:
    """Evaluate the rules over each case's series.

    Raises:
        AssertionError: Other alerts fire than the case says; has promtool's words.
    """
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": case.name,
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": case.at,
                        "exp_samples": [{"labels": _labels(alert), "value": 1} for alert in case.firing],
                    }
                ],
            }
            for case in cases
        ],
    }
    path = directory / "cases.yml"
    path.write_text(json.dumps(document))  # JSON is YAML
    _run("test", "rules", str(path))


def _labels(alert: Mapping[str, str]) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in {**alert, "alertstate": "firing"}.items())
    return f"ALERTS{{{labels}}}"


def _run(*arguments: str) -> None:
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

"""The command line as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(url: str, *arguments: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
    return subprocess.run(
        [sys.executable, "-m", "driftline", *arguments],
        env={**kept, "DRIFTLINE_DATABASE_URL": url, "COLUMNS": "120"},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def document(url: str, *arguments: str, directory: Path) -> Any:
    done = run(url, *arguments, "--json", directory=directory)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

"""Answers kept between runs: one file for each, named by a digest of everything that it depends on."""

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """A directory of answers; several runs, of different trees too, may share it.

    An answer is found again by equal dependencies only, so nothing here ever has to be thrown away for being old.
    """

    directory: Path

    def answer(self, *depends_on: str, make: Callable[[], Answer]) -> Answer:
        """Return what is kept for *depends_on*, else what *make* returns, which is kept from then on."""
        path = self.path(*depends_on)
        if path.exists():
            kept: Answer = pickle.loads(path.read_bytes())
            return kept
        answer = make()
        self.directory.mkdir(parents=True, exist_ok=True)
        # Under its name only when it is whole: a run may be stopped at any moment.
        with NamedTemporaryFile(dir=self.directory, delete=False) as part:
            part.write(pickle.dumps(answer))
        os.replace(part.name, path)
        return answer

    def path(self, *depends_on: str) -> Path:
        """Return the file of the answer to *depends_on*."""
        name = hashlib.sha256("\0".join(depends_on).encode()).hexdigest()
        return self.directory / f"{name}.pickle"

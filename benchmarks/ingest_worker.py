"""One ingest process that measures its cost from its first record to its last. Run by `ingest`."""

import json
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from consumers.telemetry import Timings
from consumers.worker import run_ingest
from monitor.clock import cpu_seconds, monotonic_seconds
from monitor.logs import configure_logging
from monitor.settings import load_settings


class Stopwatch(Timings):
    """Notes CPU and wall at the first record's arrival and at the last flush that wrote something."""

    def __init__(self, output: Path) -> None:
        super().__init__()
        self._output = output
        self._began: tuple[float, float, dict[str, float]] | None = None
        self._written = 0

    def end(self, step: str) -> None:
        """Book *step*; write the figures when records were flushed."""
        before = asdict(self.snapshot())
        super().end(step)
        if self._began is None and self.records:
            self._began = (cpu_seconds(), monotonic_seconds(), before)
        if step == "flush" and self._began is not None and self.records > self._written:
            self._written = self.records
            self._write(*self._began)

    def _write(self, cpu: float, wall: float, before: dict[str, float]) -> None:
        now = asdict(self.snapshot())
        split = {part: now[part] - before[part] for part in now if part != "records"}
        figures = {"cpu": cpu_seconds() - cpu, "wall": monotonic_seconds() - wall, "split": split}
        self._output.write_text(json.dumps(figures), encoding="utf-8")


def main(output: Path) -> None:
    """Ingest until SIGTERM; *output* holds the figures as of the last flush."""
    configure_logging(level="warning", role="ingest")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_ingest(load_settings(), stop=stop, timings=Stopwatch(output))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

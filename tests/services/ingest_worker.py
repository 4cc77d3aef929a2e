"""One ingest worker as a process, with less to import than the CLI: python -m tests.services.ingest_worker FILE."""

import signal
import sys
import threading
from pathlib import Path

from consumers.worker import run_ingest
from monitor.logs import LogFormat, configure_logging
from monitor.settings import Settings


def main(path: str) -> None:
    """Ingest by the settings in *path* until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = Settings.model_validate_json(Path(path).read_text(encoding="utf-8"))
    configure_logging(log_format=LogFormat.JSON)
    run_ingest(settings, stop=stop)


if __name__ == "__main__":
    main(sys.argv[1])

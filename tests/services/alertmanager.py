"""A real Alertmanager on the loopback interface: what it holds, and what it sends on to a webhook."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from tests.services.processes import ServiceFailed, end, free_port, last_lines, spawn
from tests.services.waiting import wait_until

NAMES = ("prometheus-alertmanager", "alertmanager")  # of Debian's package, and of the project's own
CONFIGURATION = """\
route:
  receiver: bridge
  group_by: [alertname, namespace, model, kind]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: bridge
    webhook_configs: [{{url: '{url}', send_resolved: true}}]
"""


def program() -> str | None:
    """Return the Alertmanager of this machine, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def alerts_of(url: str) -> list[dict[str, Any]]:
    """Return what the Alertmanager at *url* holds."""
    answer = httpx2.get(f"{url}/api/v2/alerts", trust_env=False, timeout=30)
    return msgspec.json.decode(answer.content, type=list[dict[str, Any]])


@contextmanager
def alertmanager(folder: Path, *, webhook: str = "http://127.0.0.1:9/") -> Iterator[str]:
    """Give the URL of a running Alertmanager that sends on to *webhook*; its files are in *folder*."""
    binary = program()
    assert binary, f"expected Alertmanager as {' or '.join(NAMES)}, found neither: apt-get install {NAMES[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    configuration, log = folder / "alertmanager.yml", folder / "alertmanager.log"
    configuration.write_text(CONFIGURATION.format(url=webhook), encoding="utf-8")
    port = free_port()
    command = [binary, f"--config.file={configuration}", f"--storage.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = spawn(command, log=log)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        if process.poll() is not None:
            raise ServiceFailed(f"Alertmanager ended with {process.returncode}:\n{last_lines(log)}")
        try:
            return httpx2.get(f"{url}/-/ready", trust_env=False, timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    try:
        wait_until(ready, lambda: f"Alertmanager at {url}:\n{last_lines(log)}")
        yield url
    finally:
        end(process, by=signal.SIGTERM, timeout_seconds=20)

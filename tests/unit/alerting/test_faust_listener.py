"""An alerter that cannot begin to listen ends instead of waiting for ever."""

import tempfile
import threading

import pytest

from alerting.faust_listener import Listener
from monitor.health import Health
from monitor.settings import Settings


def test_a_listener_that_cannot_begin_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a writable directory the block is entered, the failure reported, and the block left."""

    def unwritable(**_: object) -> None:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", unwritable)
    failures: list[str] = []
    entered = threading.Event()

    def work() -> None:
        with Listener(Settings(), wake=lambda name: None, on_failure=failures.append, health=Health()):
            entered.set()

    threading.Thread(target=work, daemon=True).start()
    assert entered.wait(5)
    assert "no usable temporary directory" in failures[0]

"""Log lines."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import structlog
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

import alerting.faust_listener  # noqa: F401  # sets how Faust's thread crashes
from monitor.logs import LogFormat, configure_logging

CRASHES = """
import threading, warnings, structlog
from monitor.logs import configure_logging, log_uncaught

class Unfinished:
    def __del__(self):
        raise ValueError("in a destructor")

configure_logging(role="alerter")
log_uncaught()
warnings.warn("an old way\\nto do it", UserWarning)
thread = threading.Thread(target=lambda: 1 / 0, name="outbox")
thread.start()
thread.join()
ending = threading.Thread(target=lambda: exit(3))
ending.start()
ending.join()
Unfinished()
raise RuntimeError("nobody foresaw this")
"""

FULL = """
import logging, structlog
from monitor.logs import configure_logging, log_uncaught

configure_logging(role="ingest")
log_uncaught()
structlog.get_logger().warning("service.lost")
logging.getLogger("asyncio").error("slow callback")
print("the work went on")
raise RuntimeError("nobody foresaw this")
"""


@contextmanager
def configured(**options: Any) -> Iterator[io.StringIO]:
    """Logs into a stream, as in a process of its own: the test runner's handlers are put back afterwards."""
    root, psycopg = logging.getLogger(), logging.getLogger("psycopg")
    handlers, level, of_psycopg = root.handlers[:], root.level, psycopg.level
    root.handlers.clear()
    stream = io.StringIO()
    try:
        configure_logging(stream=stream, **options)
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        psycopg.setLevel(of_psycopg)
        structlog.reset_defaults()


def documents(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines without their moments."""
    results = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(document.pop("timestamp").endswith("Z") for document in results)
    return results


def test_a_line_is_one_json_object_with_its_role() -> None:
    """Off a terminal each event is one JSON object; what is below the level is not written."""
    with configured(level="info", role="ingest") as stream:
        log = structlog.get_logger()
        log.debug("batch.counted", records=5)
        log.warning("offset.fenced", partition="predictions[0]")
    assert documents(stream) == [
        {"event": "offset.fenced", "level": "warning", "role": "ingest", "partition": "predictions[0]"}
    ]


def test_a_library_s_line_has_the_same_form() -> None:
    """What comes through the standard library has its logger's name besides; only what is wrong is written."""
    with configured(level="info", role="maintain") as stream:
        logging.getLogger("sqlalchemy.pool").info("connection %s is fine", 7)
        logging.getLogger("sqlalchemy.pool").warning("connection %s\nis %r", 7, "broken")
        error = OSError("disk lost")
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
    warned, failed = documents(stream)
    assert warned == {
        "event": "connection 7\nis 'broken'", "level": "warning", "role": "maintain", "logger": "sqlalchemy.pool"
    }  # fmt: skip
    assert failed.pop("exception").endswith("OSError: disk lost")
    assert failed == {
        "event": "Task exception was never retrieved", "level": "error", "role": "maintain", "logger": "asyncio"
    }  # fmt: skip


def test_text_is_text_for_libraries_too() -> None:
    """With --log-format text a library's line looks like ours."""
    with configured(role="ingest", log_format=LogFormat.TEXT) as stream:
        structlog.get_logger().warning("offset.fenced")
        logging.getLogger("asyncio").error("slow callback")
    ours, theirs = stream.getvalue().splitlines()
    assert ("[warning" in ours, "offset.fenced" in ours, "role=ingest" in ours) == (True, True, True)
    assert ("[error" in theirs, "slow callback" in theirs, "role=ingest" in theirs) == (True, True, True)


@pytest.mark.parametrize(("level", "lines"), [("debug", 2), ("info", 1), ("error", 1)])
def test_what_psycopg_ignores_itself_is_for_debugging(level: str, lines: int) -> None:
    """That cleaning up a broken connection failed, too, says nothing the outage's line has not said; an error does."""
    with configured(level=level, role="ingest") as stream:
        logging.getLogger("psycopg").warning("error ignored terminating %r: %s", "<Pipeline>", "pipeline aborted")
        logging.getLogger("psycopg.transaction").info("not worth a line")
        logging.getLogger("psycopg").error("error in notice receiver: %s", "x")
    assert [document["level"] for document in documents(stream)] == ["warning", "error"][-lines:]


def test_a_crash_of_faust_s_thread_is_one_line() -> None:
    """Its consumer runs in a thread that would print a traceback."""
    with configured(role="alerter") as stream:
        try:
            raise OSError("disk lost")
        except OSError as error:
            AIOKafkaConsumerThread.on_crash(cast(Any, None), "{0!r} crashed: {1!r}", "consumer", error)
    (line,) = documents(stream)
    assert (line["event"], line["thread"]) == ("wakeups.thread_crashed", "'consumer' crashed: OSError('disk lost')")
    assert line["exception"].endswith("OSError: disk lost")


def test_what_nobody_catches_is_a_line_too() -> None:
    """A warning, a thread that crashed, an error in a destructor, and the one that ends the process."""
    done = subprocess.run([sys.executable, "-c", CRASHES], capture_output=True, text=True, timeout=60, check=False)
    documents = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [(line["level"], line["role"]) for line in documents] == [
        (level, "alerter") for level in ("warning", "error", "warning", "error")
    ]
    warned, thread, ignored, crashed = documents
    assert (warned["logger"], "an old way\nto do it" in warned["event"]) == ("py.warnings", True)
    assert (thread["event"], thread["thread"]) == ("thread.crashed", "outbox")
    assert thread["exception"].endswith("ZeroDivisionError: division by zero")
    assert (ignored["event"], "__del__" in ignored["where"]) == ("exception.ignored", True)
    assert ignored["exception"].endswith("ValueError: in a destructor")
    assert crashed["event"] == "process.crashed"
    assert crashed["exception"].endswith("RuntimeError: nobody foresaw this")


@pytest.mark.parametrize("stderr", ["/dev/full", "a pipe without a reader"])
def test_logs_that_cannot_be_written_stop_no_work(stderr: str) -> None:
    """The disk of the log file is full, or what read the pipe ended: no line is an error of the role's."""
    if stderr == "/dev/full":
        writable = os.open(stderr, os.O_WRONLY)
    else:
        readable, writable = os.pipe()
        os.close(readable)
    with os.fdopen(writable, "wb") as end:
        done = subprocess.run(
            [sys.executable, "-c", FULL], stdout=subprocess.PIPE, stderr=end, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.returncode) == ("the work went on\n", 1)


def test_a_library_s_line_that_cannot_be_put_together_is_a_line() -> None:
    """Its words and arguments do not fit: the standard library would print a page of text."""
    words = "%s of %s"
    with configured(role="maintain") as stream:
        logging.getLogger("faust.app").error(words, 1)
    (line,) = documents(stream)
    assert (line["event"], line["logger"], line["words"]) == ("log.not_readable", "faust.app", words)
    assert line["exception"].endswith("TypeError: not enough arguments for format string")


def test_a_crash_on_a_terminal_shows_no_variables() -> None:
    """Settings are a local variable of what crashes: a traceback with its variables would show every password."""
    with configured(role="ingest", log_format=LogFormat.TEXT) as stream:
        password = "hunter2"
        try:
            raise RuntimeError(f"{len(password)} characters")
        except RuntimeError:
            structlog.get_logger().error("process.crashed", exc_info=True)
    assert "RuntimeError: 7 characters" in stream.getvalue()
    assert "password = 'hunter2'" not in stream.getvalue()


def test_a_value_from_outside_cannot_write_lines_of_its_own() -> None:
    """A version, a receiver's answer, an error's text: on a terminal and off it each event is one line of text."""
    hostile = "3.2.0\x1b[2J\x9b\u202e\r\n2026-06-01 [error] FORGED"
    for log_format in (LogFormat.TEXT, LogFormat.JSON):
        with configured(role="alerter", log_format=log_format) as stream:
            structlog.get_logger().warning("notification.sent", model=hostile, values=[hostile])
            logging.getLogger("asyncio").error("%s", hostile)
            try:
                raise ValueError(hostile)
            except ValueError:
                structlog.get_logger().exception("delivery.failed")
        output = stream.getvalue()
        assert not set(output) & set("\x1b\x9b\u202e\r")
        of_events = [line for line in output.splitlines() if "FORGED" in line]
        assert len(of_events) == 3
        assert not any(line.startswith("2026-06-01 [error] FORGED") for line in of_events)

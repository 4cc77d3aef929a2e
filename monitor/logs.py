"""Structured logs of every process: one JSON object a line, or coloured text on a terminal; always on stderr."""

import contextlib
import io
import logging
import sys
import threading
from enum import StrEnum
from textwrap import indent
from types import TracebackType
from typing import TextIO, cast

import structlog

from monitor.humanize import printable, printable_lines

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"  # text on a terminal, JSON elsewhere
    JSON = "json"
    TEXT = "text"


class _Lines:
    """Lines for a stream, where it takes them: what writes logs must not end because their disk or reader is lost."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            self._out.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._out.flush()


class _LibraryHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Say in the form of all lines that a library's words and their arguments do not fit together."""
        structlog.get_logger().warning("log.not_readable", logger=record.name, words=str(record.msg), exc_info=True)


def configure_logging(
    *, level: str = "info", role: str = "", log_format: LogFormat = LogFormat.AUTO, stream: TextIO | None = None
) -> None:
    """Send the logs of this process to *stream* (stderr by default), those of libraries in the same form.

    Args:
        level: Least severe level that is written: debug, info, warning, error.
        role: Bound to every line as ``role`` when not empty.
    """
    out = stream or sys.stderr
    lines = cast(TextIO, _Lines(out))
    text = log_format is LogFormat.TEXT or (log_format is LogFormat.AUTO and out.isatty())
    described: list[structlog.typing.Processor] = [
        *([_role_adder(role)] if role else []),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[structlog.typing.Processor] = (
        [_make_printable, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=_print_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*described, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(lines),  # a line and its end in one call: libraries write, too
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*described, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    handler = _LibraryHandler(lines)
    handler.setFormatter(formatter)
    # Of what libraries log through the standard library only what is wrong is worth a line.
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), handlers=[handler])
    # A warning of psycopg's is that cleaning up after a connection that broke failed, too ("error ignored in rollback",
    # "terminating Pipeline", "exiting", "query cancellation failed"): the outage has its line, with the first error.
    logging.getLogger("psycopg").setLevel(logging.WARNING if level == "debug" else logging.ERROR)


def _make_printable(
    logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escape what a terminal obeys, in a version or a receiver's answer; JSON does so by itself."""
    return {name: value if name == "exc_info" else _printable_value(value) for name, value in event.items()}


def _printable_value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value))


def _print_traceback(out: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Write a traceback, indented so that no line of an error's text looks like an event's.

    Without its variables: settings, with their secrets, are among them.
    """
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    out.write(indent(printable_lines(text.getvalue()), "  "))


def log_uncaught() -> None:
    """Make a log line of what Python itself writes to stderr: an error that ends the process or a thread, one in a
    destructor, a warning."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    logging.captureWarnings(True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger().error("process.crashed", exc_info=(kind, error, trace))


def _uncaught_in_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:  # a thread's way to end, for Python's own hook as well
        name = crash.thread.name if crash.thread else None
        structlog.get_logger().error("thread.crashed", thread=name, exc_info=crash.exc_value or True)


def _unraisable(lost: "sys.UnraisableHookArgs") -> None:
    where = f"{lost.err_msg or 'Exception ignored in'}: {lost.object!r}"
    structlog.get_logger().warning("exception.ignored", where=where, exc_info=lost.exc_value or True)


def _role_adder(role: str) -> structlog.typing.Processor:
    def add_role(
        logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["role"] = role
        return event

    return add_role

"""Structured logs of every process: one JSON object a line, or coloured text on a terminal; always on stderr."""

import logging
import sys
from typing import Literal, TextIO

import structlog

LogFormat = Literal["auto", "json", "text"]
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(
    *, level: str = "info", role: str = "", log_format: LogFormat = "auto", stream: TextIO | None = None
) -> None:
    """Send the logs of this process to *stream* (stderr by default).

    Args:
        level: Least severe level that is written: debug, info, warning, error.
        role: Bound to every line as ``role`` when not empty.
        log_format: ``auto`` is text on a terminal and JSON elsewhere.
    """
    out = stream or sys.stderr
    text = log_format == "text" or (log_format == "auto" and out.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if text:
        processors.append(structlog.dev.ConsoleRenderer(colors=out.isatty()))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[_role_adder(role), *processors] if role else processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; only what is wrong there is worth a line.
    logging.basicConfig(
        level=max(_LEVELS[level], logging.WARNING), stream=out, format="%(levelname)s %(name)s: %(message)s"
    )


def _role_adder(role: str) -> structlog.typing.Processor:
    def add_role(
        logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["role"] = role
        return event

    return add_role

"""Log lines."""

import io
import json

import structlog

from monitor.logs import configure_logging


def test_a_line_is_one_json_object_with_its_role() -> None:
    """Off a terminal each event is one JSON object; what is below the level is not written."""
    stream = io.StringIO()
    configure_logging(level="info", role="ingest", stream=stream)
    try:
        log = structlog.get_logger()
        log.debug("batch.counted", records=5)
        log.warning("offset.fenced", partition="predictions[0]")
    finally:
        structlog.reset_defaults()
    (line,) = stream.getvalue().splitlines()
    document = json.loads(line)
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "event": "offset.fenced",
        "level": "warning",
        "role": "ingest",
        "partition": "predictions[0]",
    }

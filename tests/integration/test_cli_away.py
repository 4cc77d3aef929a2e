"""Commands while a service is away: short, with the address and what to do."""

from pathlib import Path

from driftline.cli.exit_codes import ExitCode
from tests.unit.cli.test_exits import run


def test_a_broker_that_is_away_is_reported_without_a_traceback(tmp_path: Path) -> None:
    """`topics create` ends with 3 and names the address."""
    done = run("topics", "create", directory=tmp_path, DRIFTLINE_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "Kafka: no answer at 127.0.0.1:1" in done.stderr
    assert len(done.stderr.splitlines()) <= 3, "the client library's own lines would hide the message"

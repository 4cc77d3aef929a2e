"""What is wrong with one model or one task holds up no other; a long build of an index has no time-out."""

import threading
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.health import Health
from monitor.maintain.loop import Maintainer
from monitor.settings import Settings
from monitor.store.engine import StatementLimits, make_engine
from monitor.store.schema import truth, truth_inbox
from monitor.store.statements import cut_silent_connections, unlimited
from tests.models.alerted import apply_story

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.model_id = {model_id} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON truth FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def pooled(database_url: str) -> Iterator[Engine]:
    """An engine as the roles have it, whose statements end after a second."""
    engine = make_engine(database_url, pool_size=2, limits=StatementLimits(statement_seconds=1, lock_seconds=1))
    yield engine
    engine.dispose()


def send_truth(engine: Engine, model_id: int, number: int) -> None:
    row = {
        "model_id": model_id,
        "prediction_hash": str(uuid.UUID(int=number)),
        "known_at": 1_790_000_000_000,
        "value": "1",
        "topic": "ground-truth",
        "partition": 0,
        "offset": number,
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(truth_inbox).values(row))


def truths(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return sorted(connection.execute(sa.select(truth.c.model_id)).scalars())


def test_truths_of_one_model_that_are_refused_hold_up_no_other(pooled: Engine) -> None:
    """The batch of both is refused: each is joined apart, the culprit is named, and joined once it is mended."""
    good, bad = (apply_story(pooled, model=name).model_id for name in ("good", "bad"))
    health, stop = Health(), threading.Event()
    maintainer = Maintainer(pooled, Settings(), health)
    with pooled.begin() as connection:
        connection.execute(sa.text(REFUSING.format(model_id=bad)))
    for number in range(3):
        send_truth(pooled, good, number)
        send_truth(pooled, bad, number)
        assert maintainer.round(stop=stop)
        assert truths(pooled) == [good] * (number + 1)
        assert "joining truths of bad" in (health.reason or "")
        assert "not this one" in (health.reason or "")
    assert health.services_away == {"joining truths of bad"}
    with pooled.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER refuse ON truth"))
    assert maintainer.round(stop=stop)
    assert truths(pooled) == sorted([good] * 3 + [bad] * 3)
    assert health.reason is None


def test_a_task_that_fails_holds_up_no_other(pooled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of compaction ends neither the process nor the joining of truths; it is the reason until it works."""
    model_id = apply_story(pooled, model="credit").model_id
    health = Health()
    maintainer = Maintainer(pooled, Settings(), health)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Maintainer, "_compact_all", broken)
    send_truth(pooled, model_id, 1)
    assert maintainer.round(stop=threading.Event())
    assert truths(pooled) == [model_id]
    assert "compacting: ZeroDivisionError()" in (health.reason or "")
    monkeypatch.undo()
    assert maintainer.round(stop=threading.Event())
    assert health.reason is None


def test_what_holds_up_nobody_has_no_time_out(pooled: Engine) -> None:
    """Inside `unlimited` a statement may take longer than any other, and its connection is not taken for silent."""
    with pooled.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with unlimited(connection):
            sleeping = threading.Thread(target=connection.execute, args=(sa.text("SELECT pg_sleep(2.5)"),))
            sleeping.start()
            sleeping.join(1.5)
            assert cut_silent_connections(grace_seconds=0) == 0
            sleeping.join()
        with pytest.raises(sa.exc.OperationalError, match="statement timeout"):
            connection.execute(sa.text("SELECT pg_sleep(2.5)"))


def test_a_silent_connection_is_cut(pooled: Engine) -> None:
    """The server's time-out should have ended the statement long ago: the connection is closed on our side."""
    failed = []

    def sleep(connection: sa.Connection) -> None:
        # as if the server's answer were lost: it does not know of the limit
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        try:
            connection.execute(sa.text("SELECT pg_sleep(60)"))
        except sa.exc.OperationalError as error:
            failed.append(error)

    with pooled.connect() as connection:
        sleeping = threading.Thread(target=sleep, args=(connection,))
        sleeping.start()
        sleeping.join(0.5)
        assert cut_silent_connections(grace_seconds=0) == 0
        sleeping.join(1.5)
        assert cut_silent_connections(grace_seconds=0) == 1
        sleeping.join(10)
    assert len(failed) == 1

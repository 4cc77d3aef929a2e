"""The database's clock: the one that decides freshness, cooldowns, leases and deadlines for every process alike."""

import sqlalchemy as sa

from monitor.clock import monotonic_seconds
from monitor.store.outage import named_outage

REFRESH_SECONDS = 5.0


def database_now_millis(connection: sa.Connection) -> int:
    """Return the wall clock of the database, not of this transaction's start, in epoch milliseconds."""
    return int(
        connection.execute(sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar_one()
    )


class DatabaseClock:
    """The database's clock between readings: the last one, and the time that passed here since."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._read_at: float | None = None
        self._offset = 0.0  # ms from our monotonic clock to the database's

    def now_millis(self) -> int:
        """Return the time by the last reading; at most a few milliseconds too early, unless the machine slept.

        Raises:
            UnavailableError: It was never read, and the database does not answer now.
        """
        if self._read_at is None:
            self.read()
        return int(monotonic_seconds() * 1000 + self._offset)

    def read(self) -> int:
        """Ask the database; return its time.

        Raises:
            UnavailableError: It does not answer.
        """
        with named_outage(self._engine, "asking for its time"), self._engine.connect() as connection:
            asked_at = monotonic_seconds()
            now = database_now_millis(connection)
        self._read_at, self._offset = asked_at, now - asked_at * 1000
        return now

    def refresh(self) -> None:
        """Ask the database when the last reading is some seconds old.

        Raises:
            UnavailableError: It does not answer; the last reading stays.
        """
        if self._read_at is None or monotonic_seconds() - self._read_at >= REFRESH_SECONDS:
            self.read()

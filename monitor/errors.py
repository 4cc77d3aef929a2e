"""The one family of errors that Driftline raises on purpose."""

from typing import Literal

from monitor.types import ModelKey, Service


class DriftlineError(Exception):
    """Base of every error that Driftline raises on purpose; its text is written for the operator."""


class BinMismatchError(DriftlineError):
    """Two histograms are not one-dimensional and of one length."""


class EmptySampleError(DriftlineError):
    """A statistic was asked of a side without observations."""


class SpecError(DriftlineError):
    """A model spec or reference is not usable; lists every problem as (where, expected, found)."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{source}: {len(problems)} problem{'s' if len(problems) != 1 else ''}\n{lines}")


class SettingsError(DriftlineError):
    """A process setting is missing or wrong."""


class InvalidMessage(DriftlineError):
    """A record that cannot be counted; becomes a dead letter with this reason and sentence.

    *model*: whose record it is, as far as it says.
    """

    def __init__(self, reason: str, sentence: str, *, model: ModelKey | None = None) -> None:
        self.reason = reason
        self.sentence = sentence
        self.model = model
        super().__init__(f"{reason}: {sentence}")


class OffsetFenced(DriftlineError):
    """Another worker moved this partition's offset; nothing was written."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        super().__init__(f"{topic}[{partition}]: the stored position or epoch is no longer ours")


class RecordsUnaccounted(DriftlineError):
    """A move would pass offsets that were neither counted nor explained; nothing was written."""

    def __init__(self, topic: str, partition: int, mismatch: str) -> None:
        self.topic = topic
        self.partition = partition
        super().__init__(
            f"{topic}[{partition}]: expected a record or an explained hole at every offset, found {mismatch}"
        )


class ConfigurationChanged(DriftlineError):
    """The configuration generation moved while a batch was counted; count the batch again."""


class VersionsRefused(DriftlineError):
    """A model has too many live versions for those that a batch was counted under; count it again as others."""


class SchemaVersionError(DriftlineError):
    """The database's schema is not the one this program was built for."""


class CorruptPaneError(DriftlineError):
    """A stored pane's counts cannot be decoded."""


class CorruptResultError(DriftlineError):
    """A stored window's result cannot be decoded."""


class UnavailableError(DriftlineError):
    """A service could not be reached; says what was tried, where, and what to do.

    *service* says which, empty where it is neither of the two; *contended*: it answers, but this statement lost
    against others or took too long, which says nothing about the next one.
    """

    def __init__(self, text: str, *, service: Service | Literal[""] = "", contended: bool = False) -> None:
        self.service = service
        self.contended = contended
        super().__init__(text)


class RefusedByDatabaseError(DriftlineError):
    """Postgres refuses a statement, or what it carries, and would again; waiting does not help.

    *sqlstate* is None when the driver refused before the server was asked; *words* are the server's.
    """

    service = Service.POSTGRES

    def __init__(self, doing: str, *, sqlstate: str | None, words: str) -> None:
        self.sqlstate = sqlstate
        self.words = words
        super().__init__(
            f"{doing}: refused with {f'SQLSTATE {sqlstate}' if sqlstate else 'no SQLSTATE, by the driver'}: {words}\n"
            "It would be refused again: look at what the statement carries; if nothing is wrong there, report it."
        )

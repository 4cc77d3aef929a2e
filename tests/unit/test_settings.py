"""Process settings: strict, and every mistake named."""

import pytest

from monitor.errors import SettingsError
from monitor.settings import load_settings


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo must not leave a setting at its default unnoticed."""
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTAP", "kafka:9092")
    with pytest.raises(SettingsError, match=r"DRIFTLINE_KAFKA_BOOTSTAP.*did you mean DRIFTLINE_KAFKA_BOOTSTRAP\?"):
        load_settings()


def test_a_wrong_value_names_variable_expectation_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected, found, and under which name to mend it."""
    monkeypatch.setenv("DRIFTLINE_FLUSH_EVENTS", "many")
    with pytest.raises(SettingsError, match=r"DRIFTLINE_FLUSH_EVENTS: .*integer.*found 'many'"):
        load_settings()

"""Process settings: strict, and every mistake named."""

from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    "line",
    [
        'kafka_sasl_passwrd = "hunter2"',
        'database_ulr = "postgresql://driftline:hunter2@db/driftline"',
        'dead_man_url = "https://hc.example/hunter2"',
        'dead_man_url = ["https://hc.example/hunter2"]',
        'database_url = { url = "hunter2" }',
        'kafka_sasl_password = ["hunter2"]',
        '[kafka]\nsasl_password = "hunter2"',
        'kafka_security_protocol = "SASL_SSL"\nkafka_sasl_password = hunter2',
    ],
)
def test_no_message_about_settings_shows_a_secret(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt key may hold any secret, and so may a setting that is one; both are named without their value."""
    file = tmp_path / "driftline.toml"
    file.write_text(line, encoding="utf-8")
    monkeypatch.setenv("DRIFTLINE_CONFIG", str(file))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_misspelt_key_of_the_file_is_named_with_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a variable: its name, where it stands, what was meant."""
    file = tmp_path / "driftline.toml"
    file.write_text('kafka_sasl_passwrd = "hunter2"', encoding="utf-8")
    monkeypatch.setenv("DRIFTLINE_CONFIG", str(file))
    with pytest.raises(SettingsError, match=r"kafka_sasl_passwrd: .*unknown.*did you mean kafka_sasl_password\?"):
        load_settings()


def test_settings_can_be_logged() -> None:
    """Their text has no secret, whatever prints it: a traceback with its variables, a failed assertion."""
    settings = load_settings(
        database_url="postgresql://u:hunter2@db/d",
        kafka_sasl_password="hunter2",
        dead_man_url="https://h/hunter2/{role}",
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "kafka_sasl_mechanism: expected one of PLAIN, .*OAUTHBEARER"),
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": "u"},
            "expected kafka_sasl_username and kafka_sasl_password, found no kafka_sasl_password",
        ),
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "OAUTHBEARER"},
            "found no kafka_oauth_token_url",
        ),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "DRIFTLINE_KAFKA_SASL_MECHANISM: .*'SCRAM-SHA-512' or 'OAUTHBEARER'"),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_ca_file": "/no/such/file"}, "a file that can be read"),
        ({"kafka_ssl_ca_file": __file__}, "kafka_ssl_ca_file: expected kafka_security_protocol SSL or SASL_SSL"),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_key_file": __file__}, "expected kafka_ssl_certificate_file"),
        ({"kafka_client": {"sasl.password": "hunter2"}}, "sasl.password: .*; set kafka_sasl_password instead"),
        ({"kafka_client": {"enable.auto.commit": "hunter2"}}, "enable.auto.commit: .* each event counts once"),
    ],
)
def test_settings_that_cannot_connect_are_named(settings: dict[str, Any], said: str) -> None:
    """Before anything is started, by the name of what is missing or contradicts, without any value."""
    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(**settings)
    assert "hunter2" not in str(caught.value)

"""Addresses in messages: everything that helps to find the mistake, nothing that is a secret."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import SettingsError
from monitor.redaction import shown_dsn, shown_web_address
from monitor.store.engine import make_engine, shown_url

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://driftline@db:5432/driftline", "postgresql://driftline@db:5432/driftline"),
        ("postgresql://db/driftline", "postgresql://db/driftline"),
        ("postgresql://driftline:hunter2@db:5432/driftline", "postgresql://driftline:***@db:5432/driftline"),
        ("postgresql://u:p@hunter2@db/driftline", "postgresql://u:***@db/driftline"),
        ("postgresql://u:p/hunter2@db/driftline", "postgresql://u:***@db/driftline"),
        ("postgresql://u@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u@db/d?password=hunter2", "postgresql://u@db/d?password=***"),
        (
            "postgresql://u@db/d?sslmode=require&sslpassword=hunter2",
            "postgresql://u@db/d?sslmode=require&sslpassword=***",
        ),
        (
            "postgresql:///d?host=/run/postgresql&password=a@hunter2",
            "postgresql:///d?host=/run/postgresql&password=***",
        ),
        # a forgotten host, and passwords with the characters that end one
        ("postgresql://driftline:hunter2/driftline", "postgresql://***"),
        ("postgresql://u:p?hunter2@db/driftline", "postgresql://***"),
        ("postgresql://u:p@x?hunter2@db/d", "postgresql://***"),
        ("postgresql//u:hunter2@db/d", "(not a URL)"),
        ("hunter2", "(not a URL)"),
    ],
)
def test_a_dsn_is_shown_without_its_secrets(dsn: str, shown: str) -> None:
    """User, host, port and database help; password, unknown parameters and what looks like either do not appear."""
    assert shown_dsn(dsn) == shown


@given(
    password=st.text(string.ascii_letters + "@/?#:&=%[] ", min_size=1, max_size=20),
    form=st.sampled_from(
        ["postgresql://u:{}@db:5432/d", "postgresql://u@db/d?password={}", "postgres://u:{}@db/d?a=1"]
    ),
)
def test_no_part_of_a_password_is_shown(password: str, form: str) -> None:
    """Whatever characters it has: as many as eight in a row of them would be enough to guess the rest."""
    secret = f"Zq{password}9Xv"
    shown = shown_dsn(form.format(secret))
    assert "Zq" not in shown
    assert "9Xv" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com/…"),
        ("https://user:hunter2@example.org:8443/", "https://example.org:8443"),
        ("https://example.org?token=hunter2", "https://example.org/…"),
        ("http://[::1]:9/x", "http://[::1]:9/…"),
        ("http://h:99999/hunter2", "(not a URL)"),
        ("http://[::1/hunter2", "(not a URL)"),
        ("hunter2", "(not a URL)"),
    ],
)
def test_of_a_web_address_only_the_host_is_shown(url: str, shown: str) -> None:
    """The path of a chat's webhook, the user of a proxy, a token in the query are all secrets."""
    assert shown_web_address(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@db/d",
        "postgresql://u:p@hunter2@db/d",
        "postgresql://driftline:hunter2/driftline",
        "postgresql://u:p@x?hunter2@db/d",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    """The message names the form and what to encode; the driver is not asked for its opinion, which would quote it."""
    with pytest.raises(SettingsError, match=r"DRIFTLINE_DATABASE_URL .*: expected postgresql://.*found") as caught:
        make_engine(url)
    assert SECRET not in str(caught.value)


def test_an_engine_is_named_without_a_password_of_its_query() -> None:
    """`?password=` is libpq's other place for it; SQLAlchemy masks only the first."""
    engine = make_engine("postgresql://u@db/d?password=hunter2")
    assert shown_url(engine.url) == "postgresql+psycopg://u@db/d?password=***"
    engine.dispose()

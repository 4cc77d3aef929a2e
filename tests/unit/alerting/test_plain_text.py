"""Texts of others in messages: one line, nothing that hides or controls."""

import pytest

from alerting.notifications.plain_text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("credit", "credit"),
        ("münchen 模型 🚀", "münchen 模型 🚀"),
        ("a\n\r\u2028b\tc", "a b c"),
        ("a\x1b[2J\u202eb\u200bc", "a\\x1b[2J\\u202eb\\u200bc"),
    ],
)
def test_messages_escape_what_hides_or_controls_as_commands_do(text: str, shown: str) -> None:
    """White space becomes one space; the rest is escaped, and escaping it again changes nothing."""
    assert one_line(text) == shown
    assert one_line(shown) == shown

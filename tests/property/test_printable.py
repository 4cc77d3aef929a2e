"""What is printed of texts from outside, over texts of every kind."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.cli.output import print_json, print_line, print_table, print_wrapped
from monitor.humanize import printable, printable_lines
from tests.integration.test_hostile_values import is_text

ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b\x9b\u202e\u2028\x85\r\n\t\x7f"), max_size=40)


@given(ANY_TEXT | st.text(st.characters(categories=["Cs", "Cc", "Cf"])))
def test_what_is_printable_has_no_control_character(text: str) -> None:
    """One line of text; where nothing had to be escaped it is the text itself."""
    shown = printable(text)
    assert all(map(is_text, shown))
    assert shown == text or not all(map(is_text, text))
    assert printable(shown) == shown
    assert printable_lines(f"{text}\n{text}").count("\n") == 2 * text.count("\n") + 1


@pytest.mark.parametrize("text", ["Straße №5", "naïve – 99.9 %", "東京", "income\u00a0net", "🙂", "a\\b"])
def test_words_of_any_language_stay(text: str) -> None:
    """Letters, signs and spaces are shown as they are."""
    assert printable(text) == text


def test_lines_stay_lines_whatever_a_value_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Each way of printing, with the same value in every place that it has."""

    @given(ANY_TEXT)
    def check(text: str) -> None:
        print_line(text)
        assert len(lines(capsys)) == 1
        print_wrapped(f"moved: {text}", initial_indent="- ", subsequent_indent="  ")
        first, *others = lines(capsys)
        assert first.startswith("- ")
        assert all(line.startswith("  ") for line in others)
        print_table(text, ("version", "n"), [(text, 1)], notes=[f"because {text}"], empty="none")
        title, head, row, *notes = lines(capsys)
        assert len(title) >= 0
        assert head.startswith("  version")
        assert row.startswith("  ")
        assert all(line.startswith("      ") for line in notes)
        print_json({"version": text})
        assert json.loads("\n".join(lines(capsys))) == {"version": text}

    check()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    output = capsys.readouterr().out
    assert all(map(is_text, output.replace("\n", "")))
    return output.removesuffix("\n").split("\n")

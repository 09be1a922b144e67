"""Tables of the terminal are aligned, and colors appear on a terminal alone."""

from __future__ import annotations

import io

import pytest

from pipeline.cli.terminal_output import colored, print_table


class Terminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    output = Terminal()
    monkeypatch.setattr("sys.stdout", output)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return output


def test_columns_are_aligned_under_their_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("version", "stage"), [("1", "Production"), ("1000000", "None")])
    assert capsys.readouterr().out == "version  stage\n1        Production\n1000000  None\n"


def test_a_pipe_gets_no_colors(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("verdict",), [("drift",)])
    assert capsys.readouterr().out == "verdict\ndrift\n"


def test_a_terminal_gets_the_color_of_a_verdict_and_keeps_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    print_table(("verdict", "column"), [("drift", "age")])
    assert terminal.getvalue() == "verdict  column\n\x1b[31mdrift  \x1b[0m  age\n"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colors_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    use_terminal(monkeypatch)
    assert colored("drift", "drift") == "\x1b[31mdrift\x1b[0m"
    monkeypatch.setenv(variable, value)
    assert colored("drift", "drift") == "drift"


def test_a_word_without_a_color_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    use_terminal(monkeypatch)
    assert colored("other", "other") == "other"

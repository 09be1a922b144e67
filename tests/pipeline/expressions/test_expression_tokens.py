"""The tokens of an expression, with their positions."""

from __future__ import annotations

import pytest

from pipeline.expressions.expression_tokens import TOKEN_HINTS, tokenize


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokenize(text)][:-1]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("12", "number"), (".5", "number"), ("1e-3", "number"), ("2.", "number"), ("größe", "name"), ("_a1", "name")],
)
def test_a_number_or_a_name_is_one_token(text, kind) -> None:
    assert kinds(text) == [(kind, text)]


@pytest.mark.parametrize("text", ["1.2.3", "5kg", "0x1f", "1_000"])
def test_what_only_starts_as_a_number_is_no_token(text) -> None:
    assert kinds(text) == [("unknown", text)]


@pytest.mark.parametrize(
    "sign", sorted({"**", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ","})
)
def test_signs_need_no_blanks(sign) -> None:
    assert [text for _, text in kinds(f"a{sign}b")] == ["a", sign, "b"]


@pytest.mark.parametrize("sign", sorted(TOKEN_HINTS))
def test_signs_of_other_languages_are_no_tokens(sign) -> None:
    assert ("unknown", sign) in kinds(f"a {sign} b")


def test_quotes_hold_any_other_character() -> None:
    assert kinds("""`days since` == 'a "b" (c)'""") == [
        ("quoted name", "days since"),
        ("sign", "=="),
        ("text", 'a "b" (c)'),
    ]


def test_a_position_is_that_of_the_first_character() -> None:
    text = "  spent /`a b`* 'x'  "
    assert [text[token.position] for token in tokenize(text)][:-1] == ["s", "/", "`", "*", "'"]

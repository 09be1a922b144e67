"""Divide the text of an expression into tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TOKEN_HINTS", "Token", "tokenize"]

TokenKind = Literal["number", "text", "name", "quoted name", "sign", "unknown", "end"]

_PATTERN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"[^"\n]*"|'[^'\n]*')
    |(?P<name>[^\W\d]\w*)
    |`(?P<quoted>[^`\n]+)`
    |(?P<unknown>&&|\|\||//)
    |(?P<sign>\*\*|==|!=|<=|>=|[-+*/%(),<>])
    |(?P<other>\d[\w.]*|.)
    )""",
    re.VERBOSE | re.DOTALL,
)
# What to write instead of a sign that other languages have.
TOKEN_HINTS = {
    "=": "write == to compare",
    "^": "write ** for a power",
    "&": "write and",
    "&&": "write and",
    "|": "write or",
    "||": "write or",
    "!": "write not",
    "//": "write `floor(a / b)`",
    "?": "write if(condition, a, b)",
    '"': "this quote is not closed",
    "'": "this quote is not closed",
    "`": "this quote is not closed",
}


class Token(NamedTuple):
    """One token: its kind, its text (without quotes) and the position of its first character."""

    kind: TokenKind
    text: str
    position: int


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of `text`, the last of kind "end"; what is no token has the kind "unknown".

    Examples
    --------
    >>> [token.text for token in tokenize("spent / (visits + 1)")]
    ['spent', '/', '(', 'visits', '+', '1', ')', '']
    """
    stripped = text.rstrip()
    position = 0
    while position < len(stripped):
        match = _PATTERN.match(stripped, position)
        if match is None:  # pragma: no cover - the pattern takes any character
            raise AssertionError(f"no token at {position}")
        kind = match.lastgroup or "unknown"
        yield _token(kind, match[kind], match.start(kind))
        position = match.end()
    yield Token("end", "", len(stripped))


def _token(kind: str, text: str, position: int) -> Token:
    if kind == "quoted":
        return Token("quoted name", text, position - 1)
    if kind == "text":
        return Token("text", text[1:-1], position)
    if kind == "number":
        return Token("number", text, position)
    if kind == "name":
        return Token("name", text, position)
    return Token("sign" if kind == "sign" else "unknown", text, position)

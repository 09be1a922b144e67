"""Parse an expression and check its types: `spent / visits`, `if(plan == "pro", 1, 0)`.

The parser climbs precedences (Pratt, 1973) and writes the steps of a stack machine as it reads; nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from pipeline.errors import ConfigError, did_you_mean
from pipeline.expressions.expression import Expression, Step
from pipeline.expressions.expression_tokens import TOKEN_HINTS, Token, tokenize
from pipeline.expressions.operations import FUNCTIONS, OPERATORS
from pipeline.text import pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.expressions.operands import ValueType
    from pipeline.expressions.operations import Operation

__all__ = ["RESERVED_NAMES", "Variable", "parse_expression"]

_MAX_LENGTH = 1_000
_MAX_DEPTH = 32
_MAX_SHOWN, _MAX_LIST = 80, 300
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
# How tightly an operator binds its arguments; a prefix operator binds what follows.
_BINDING = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(_COMPARISONS, 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
    "**": 8,
}
_NOT_BINDING, _MINUS_BINDING = 3, 7
_KEYWORDS = frozenset({"and", "or", "not", "true", "false", "missing"})
RESERVED_NAMES = _KEYWORDS | frozenset(FUNCTIONS)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?", re.ASCII)
_OPERAND = "a feature, a number, a text in quotes or a function"
_TYPE_NAMES: dict[ValueType, str] = {
    "number": "a number",
    "boolean": "true or false",
    "moment": "a date",
    "text": "a text",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that an expression may use: the type of its values, and the words that it can have where they are known.

    `refusal` is the reason why it may not be used after all.
    """

    type: ValueType
    words: tuple[str, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an expression that is parsed: its type, its steps and where it starts."""

    type: ValueType
    steps: tuple[Step, ...]
    start: int
    text: str | None = None  # of a text in quotes
    name: str | None = None  # of a column
    is_comparison: bool = False
    is_missing_word: bool = False


def parse_expression(text: str, variables: Mapping[str, Variable], *, key: str) -> Expression:
    """Return the checked form of an expression.

    Parameters
    ----------
    text : str
    variables : mapping of str to Variable
        The names that it may use.
    key : str
        Key path of the setting; error messages start with it.

    Raises
    ------
    ConfigError
        Naming what was found, where, and what was expected.
    """
    if len(text) > _MAX_LENGTH:
        raise ConfigError(
            f"{key}: has {len(text):,} characters; expected at most {_MAX_LENGTH:,}: divide it into several derived"
            " columns, since one may use another"
        )
    return _Parser(text, variables, key).parse()


def _type_list(types: Sequence[ValueType]) -> str:
    names = ", ".join(_TYPE_NAMES[kind] for kind in types)
    return f"({names})" if len(types) > 1 else names


class _Parser:
    """Reads the tokens of one expression from left to right."""

    def __init__(self, text: str, variables: Mapping[str, Variable], key: str) -> None:
        self._text, self._variables, self._key = text, variables, key
        self._tokens = list(tokenize(text))
        self._at = 0
        self._depth = 0
        self._used: dict[str, None] = {}
        # The method that parses an operand, by the kind of its first token or by its sign.
        self._operands: dict[str, Callable[[Token], _Part]] = {
            "number": self._number,
            "text": self._quoted,
            "name": self._named,
            "quoted name": self._column,
            "(": self._bracketed,
            "-": self._negative,
        }

    def parse(self) -> Expression:
        if self._peek().kind == "end":
            raise ConfigError(f"{self._key}: is empty; write an expression such as: spent / visits")
        part = self._expression(0)
        token = self._peek()
        if token.kind != "end":
            self._unexpected(token, "an operator or the end")
        if part.type not in ("number", "boolean"):
            self._fail(part.start, f"is {_TYPE_NAMES[part.type]}; a derived column is a number, or true or false")
        if not self._used:
            raise ConfigError(f"{self._key}: {shorten(self._text, _MAX_SHOWN)!r} uses no feature; name at least one")
        return Expression(self._text, part.type, tuple(self._used), part.steps)

    def _expression(self, binding: int) -> _Part:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(
                self._peek().position,
                f"is nested more than {_MAX_DEPTH} deep; divide it into several derived columns",
            )
        left = self._operand()
        while (own := _BINDING.get(self._peek().text, 0)) > binding and self._peek().kind in ("sign", "name"):
            left = self._binary(left, self._next(), own)
        self._depth -= 1
        return left

    def _binary(self, left: _Part, operator: Token, binding: int) -> _Part:
        # A power groups from the right, all others from the left.
        right = self._expression(binding - 1 if operator.text == "**" else binding)
        if operator.text in _COMPARISONS:
            if left.is_comparison or right.is_comparison:
                self._fail(operator.position, "compares a comparison; join two with and: 0 < a and a < 5")
            left, right = self._comparable(left, right), self._comparable(right, left)
        return self._apply(operator, OPERATORS[operator.text], (left, right))

    def _operand(self) -> _Part:
        token = self._next()
        parse = self._operands.get(token.kind if token.kind != "sign" else token.text)
        return self._unexpected(token, _OPERAND) if parse is None else parse(token)

    def _quoted(self, token: Token) -> _Part:
        return _Part("text", (Step(literal=token.text),), token.position, text=token.text)

    def _bracketed(self, token: Token) -> _Part:
        inner = self._expression(0)
        self._expect(")", token)
        return _Part(inner.type, inner.steps, token.position, text=inner.text, name=inner.name)

    def _negative(self, token: Token) -> _Part:
        argument = self._expression(_MINUS_BINDING)
        return self._apply(token, OPERATORS["negative"], (argument,))

    def _number(self, token: Token) -> _Part:
        number = float(token.text)
        if not np.isfinite(number):
            self._fail(token.position, f"{token.text} is beyond the largest float64")
        return _Part("number", (Step(literal=number),), token.position)

    def _named(self, token: Token) -> _Part:
        if token.text == "not":
            return self._apply(token, OPERATORS["not"], (self._expression(_NOT_BINDING),))
        if token.text in ("true", "false", "missing") and token.text in self._variables:
            self._fail(token.position, f"{token.text} is a value and a feature; write `{token.text}` for the feature")
        if token.text in ("true", "false"):
            return _Part("boolean", (Step(literal=float(token.text == "true")),), token.position)
        if token.text == "missing":
            return _Part("number", (Step(literal=float("nan")),), token.position, is_missing_word=True)
        if token.text in _KEYWORDS:
            return self._unexpected(token, _OPERAND)
        if self._peek().kind == "sign" and self._peek().text == "(":
            return self._call(token)
        return self._column(token)

    def _column(self, token: Token) -> _Part:
        variable = self._variables.get(token.text)
        if variable is None:
            names = [name for name, known in self._variables.items() if known.refusal is None]
            hint = did_you_mean(token.text, names)
            called = f"; {token.text} is a function: write {token.text}(...)" if token.text in set(FUNCTIONS) else hint
            known = shorten(", ".join(names), _MAX_LIST)
            self._fail(token.position, f"{token.text!r} is no feature; features: {known}{called}")
        if variable.refusal is not None:
            self._fail(token.position, f"{token.text!r} {variable.refusal}")
        self._used[token.text] = None
        return _Part(variable.type, (Step(column=token.text),), token.position, name=token.text)

    def _call(self, name: Token) -> _Part:
        if name.text not in set(FUNCTIONS):
            known = ", ".join(FUNCTIONS)
            self._fail(
                name.position, f"{name.text!r} is no function; functions: {known}{did_you_mean(name.text, FUNCTIONS)}"
            )
        opening = self._next()
        arguments = [] if self._is_sign(")") else [self._expression(0)]
        while self._is_sign(","):
            self._next()
            arguments.append(self._expression(0))
        self._expect(")", opening)
        if name.text == "contains" and (len(arguments) != 2 or arguments[0].name is None or arguments[1].text is None):
            self._fail(name.position, 'contains: expected a text column and a text in quotes: contains(note, "late")')
        return self._apply(name, FUNCTIONS[name.text], tuple(arguments))

    def _apply(self, token: Token, operation: Operation, arguments: Sequence[_Part]) -> _Part:
        n_expected = len(operation.signatures[0].arguments)
        n_found = len(arguments)
        if n_found < n_expected or (n_found > n_expected and not operation.is_variadic):
            expected = f"{n_expected} or more arguments" if operation.is_variadic else pluralize(n_expected, "argument")
            self._fail(token.position, f"{token.text}: expected {expected}, found {n_found}")
        first, *others = arguments
        if not operation.is_variadic:
            return self._apply_once(token, operation, arguments)
        for other in others:
            first = self._apply_once(token, operation, (first, other))
        return first

    def _apply_once(self, token: Token, operation: Operation, arguments: Sequence[_Part]) -> _Part:
        if any(argument.type == "moment" for argument in arguments):
            arguments = [self._as_moment(argument) for argument in arguments]
        types = tuple(argument.type for argument in arguments)
        for signature in operation.signatures:
            if signature.arguments == types:
                call = Step(compute=signature.compute, n_arguments=len(arguments))
                steps = (*(step for argument in arguments for step in argument.steps), call)
                start = min(token.position, arguments[0].start)
                return _Part(signature.result, steps, start, is_comparison=token.text in _COMPARISONS)
        accepted = " or ".join(_type_list(signature.arguments) for signature in operation.signatures)
        hint = "; write if(condition, 1, 0) for a number" if "boolean" in types and "number" in accepted else ""
        return self._fail(token.position, f"{token.text}: expected {accepted}, found {_type_list(types)}{hint}")

    def _comparable(self, part: _Part, other: _Part) -> _Part:
        """Return a side of a comparison; refuse a text that the other side, a column of known words, cannot have."""
        if part.is_missing_word:
            self._fail(part.start, "nothing equals missing; write is_missing(x)")
        words = self._variables[other.name].words if other.name is not None else ()
        if words and part.text is not None and part.text not in words:
            hint = did_you_mean(part.text, words)
            self._fail(
                part.start,
                f"{part.text!r} is no word of {other.name}; words: {shorten(', '.join(words), _MAX_LIST)}{hint}",
            )
        return part

    def _as_moment(self, part: _Part) -> _Part:
        """Return a text in quotes as a date, any other part as it is."""
        if part.text is None:
            return part
        try:
            # numpy alone would also read "now", years of any length and zones.
            moment = np.datetime64(part.text, "us").astype(np.int64) if _MOMENT.fullmatch(part.text) else None
        except ValueError:
            moment = None
        if moment is None:
            self._fail(part.start, f"{part.text!r} is no date; write it as 2026-01-31 or 2026-01-31T18:30:00")
        return _Part("moment", (Step(literal=np.int64(moment)),), part.start)

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _is_sign(self, text: str) -> bool:
        return self._peek().kind == "sign" and self._peek().text == text

    def _next(self) -> Token:
        token = self._peek()
        if token.kind != "end":
            self._at += 1
        return token

    def _expect(self, sign: str, opening: Token) -> None:
        if self._is_sign(sign):
            self._next()
        elif self._peek().kind == "end":
            self._fail(opening.position, f"{opening.text!r} is not closed; write {sign!r}")
        else:
            self._unexpected(self._peek(), f"an operator, a comma or {sign!r}")

    def _unexpected(self, token: Token, expected: str) -> NoReturn:
        if token.kind == "end":
            self._fail(token.position, f"ends where {expected} is expected")
        hint = f"; {TOKEN_HINTS[token.text]}" if token.text in TOKEN_HINTS else ""
        self._fail(token.position, f"found {token.text!r} where {expected} is expected{hint}")

    def _fail(self, position: int, message: str) -> NoReturn:
        start = max(0, min(position - _MAX_SHOWN // 2, len(self._text) - _MAX_SHOWN))
        shown = self._text[start : start + _MAX_SHOWN]
        raise ConfigError(f"{self._key}: {message} (at character {position + 1} of {shown!r})")

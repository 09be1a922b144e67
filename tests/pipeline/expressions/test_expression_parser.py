"""What an expression means, and what the message says where it has no meaning."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.expressions.expression_parser import Variable, parse_expression

VARIABLES = {
    "spent": Variable("number"),
    "visits": Variable("number"),
    "plan": Variable("text", ("free", "pro")),
    "note": Variable("text"),
    "at": Variable("moment"),
    "is_new": Variable("boolean"),
    "bought": Variable("text", refusal="is the target"),
    "days since": Variable("number"),
}
NUMBERS = {"spent": 8.0, "visits": 2.0, "days since": 3.0, "is_new": 1.0}


def value(text: str) -> float:
    expression = parse_expression(text, VARIABLES, key="x")
    (result,) = expression.evaluate({name: np.array([NUMBERS[name]]) for name in expression.columns}, 1)
    return float(result)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spent - visits - 1", 5.0),
        ("spent - (visits - 1)", 7.0),
        ("spent / visits / 2", 2.0),
        ("2 + spent * visits", 18.0),
        ("(2 + spent) * visits", 20.0),
        ("-visits ** 2", -4.0),
        ("2 ** visits ** 3", 256.0),
        ("2 ** -visits", 0.25),
        ("-spent % 3", 1.0),
        ("`days since` * 2", 6.0),
        ("spent > 2 and visits > 5 or is_new", 1.0),
        ("spent > 2 and (visits > 5 or not is_new)", 0.0),
        ("not spent > 2", 0.0),
        ("not is_new == false", 1.0),
        ("min(spent, visits, 5, 1)", 1.0),
        ("max(spent, visits, 5)", 8.0),
        ("if(spent > visits, spent, visits) + 1", 9.0),
    ],
)
def test_operators_bind_as_in_python(text, expected) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("1 + 2", "uses no feature"),
        ("spnt / visits", "'spnt' is no feature; .* did you mean 'spent'.*character 1 of"),
        ("spent / bought", "'bought' is the target .*character 9 of"),
        ("spent + log", "log is a function: write log"),
        ("lgo(spent)", "'lgo' is no function; .* did you mean 'log'"),
        ("log(spent, 2)", "log: expected 1 argument, found 2"),
        ("min(spent)", "min: expected 2 or more arguments, found 1"),
        ("log()", "log: expected 1 argument, found 0"),
        ("spent /", "ends where a feature"),
        ("spent visits", "found 'visits' where an operator or the end"),
        ("spent = 3", "write == to compare"),
        ("spent ^ 2", r"write \*\* for a power"),
        ("spent // 2", "write `floor"),
        ("spent > 1 && is_new", "write and"),
        ("1,5 * spent", "found ','"),
        ("(spent + 1", r"'\(' is not closed"),
        ("spent + 1)", r"found '\)'"),
        ('plan == "pro', "this quote is not closed"),
        ("spent + is_new", r"found \(a number, true or false\); write if"),
        ('spent == "8"', r"found \(a number, a text\)"),
        ("plan", "is a text; a derived column is"),
        ("at", "is a date; a derived column is"),
        ("at + 1", r"\+: expected \(a number, a number\)"),
        ("at > '2026-02-30'", "'2026-02-30' is no date"),
        ("at > 'now'", "'now' is no date"),
        ("at > 'today'", "'today' is no date"),
        ("at > '20260131'", "'20260131' is no date"),
        ("at > '999999-01-31'", "'999999-01-31' is no date"),
        ("at > '2026-01-31T18:30Z'", "'2026-01-31T18:30Z' is no date"),
        ('plan == "prp"', "'prp' is no word of plan; words: free, pro; did you mean 'pro'"),
        ('"prp" != plan', "'prp' is no word of plan"),
        ("spent == missing", r"write is_missing\(x\)"),
        ("0 < spent < 5", "join two with and"),
        ("if(spent, 1, 2)", r"if: expected \(true or false, a number, a number\)"),
        ("if(is_new, 1, plan)", "if: expected"),
        ("contains(note, plan)", "contains: expected a text column"),
        ("1e999 * spent", "beyond the largest float64"),
        ("spent and is_new", "and: expected"),
        ("year(spent)", "year: expected a date, found a number"),
        ("(" * 40 + "spent" + ")" * 40, "nested more than 32 deep"),
        ("-" * 40 + "spent", "nested more than 32 deep"),
        ("spent" + " + 1" * 300, "has 1,205 characters; expected at most 1,000"),
        ("__import__('os')", "'__import__' is no function"),
        ("spent.real", r"found '\.'"),
    ],
)
def test_an_error_has_the_place_and_what_is_expected(text, message) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)^features\.derived\.x: .*{message}"):
        parse_expression(text, VARIABLES, key="features.derived.x")


@given(text=st.text("spent vits()+-*/%<>=!,.\"'`0129abdnorlgfymh", max_size=40) | st.text(max_size=20))
@examples(max_examples=150, deadline=None)
def test_any_text_is_an_expression_of_finite_values_or_refused(text) -> None:
    try:
        expression = parse_expression(text, VARIABLES, key="features.derived.x")
    except ConfigError:
        return
    is_number = {name: VARIABLES[name].type == "number" for name in expression.columns}
    if all(is_number.values()):
        columns = {name: np.array([-1e300, 0.0, 3.0, np.nan]) for name in is_number}
        assert not np.isinf(expression.evaluate(columns, 4)).any()


@pytest.mark.parametrize("name", ["true", "false", "missing"])
def test_a_feature_with_the_name_of_a_value_needs_backquotes(name) -> None:
    variables = {name: Variable("number")}
    with pytest.raises(ConfigError, match=f"write `{name}` for the feature"):
        parse_expression(name, variables, key="x")
    assert parse_expression(f"`{name}`", variables, key="x").columns == (name,)


def test_a_long_sum_is_not_nested() -> None:
    text = "spent" + "+1" * 400
    assert value(text) == 408.0


def test_the_place_of_an_error_in_a_long_expression_is_shown() -> None:
    text = "spent + " * 60 + "vists" + " + spent" * 40
    with pytest.raises(ConfigError, match=re.escape("character 481 of")) as error:
        parse_expression(text, VARIABLES, key="x")
    assert "vists" in str(error.value).rpartition(" of ")[2]

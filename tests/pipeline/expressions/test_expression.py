"""An expression over many rows is computed in chunks, with the values of a single one."""

from __future__ import annotations

import numpy as np

from pipeline.expressions.expression_parser import Variable, parse_expression
from pipeline.expressions.operands import to_operand


def test_chunks_give_the_values_of_the_whole() -> None:
    n = 20_000
    x, words = np.arange(n, dtype=np.float64), [f"w{i % 7}" for i in range(n)]
    variables = {"x": Variable("number"), "note": Variable("text")}
    expression = parse_expression('if(note == "w3", x * 2, length(note) / 4)', variables, key="x")
    result = expression.evaluate({"x": x, "note": to_operand("text", words)}, n)
    assert np.array_equal(result, np.where(np.arange(n) % 7 == 3, 2 * x, 0.5))


def test_a_column_alone_is_copied() -> None:
    x = np.array([1.0, np.nan])
    result = parse_expression("x", {"x": Variable("number")}, key="x").evaluate({"x": x}, 2)
    result[0] = 5.0
    assert x[0] == 1.0

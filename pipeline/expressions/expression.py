"""A checked expression: the program of a stack machine, whose steps are operations on whole columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.expressions.operands import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipeline.expressions.operands import ValueType

__all__ = ["Expression", "Step"]

_CHUNK_ROWS = 8192  # intermediate results stay in the processor's caches


@dataclass(frozen=True, slots=True)
class Step:
    """Push a column or a literal; or take `n_arguments` values from the stack and push what `compute` returns."""

    column: str | None = None
    literal: Any = None
    compute: Callable[..., Any] | None = None
    n_arguments: int = 0


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that `parse_expression` accepted.

    Attributes
    ----------
    text : str
        As declared.
    result : "number" or "boolean"
    columns : tuple of str
        Names that it reads, in the order of their first use.
    steps : tuple of Step
    """

    text: str
    result: ValueType
    columns: tuple[str, ...]
    steps: tuple[Step, ...]

    def evaluate(self, operands: Mapping[str, Any], n_rows: int) -> NDArray[np.float64]:
        """Return the value of each row, shape (n_rows,): finite, or NaN where it is missing; booleans are 0 and 1.

        A row gets the same bits alone as among others.
        """
        result = np.empty(n_rows, dtype=np.float64)
        with np.errstate(all="ignore"):
            for start in range(0, n_rows, _CHUNK_ROWS):
                rows = slice(start, start + _CHUNK_ROWS)
                part = operands if n_rows <= _CHUNK_ROWS else {n: _take(operands[n], rows) for n in self.columns}
                result[rows] = self._run(part)
        return result

    def _run(self, operands: Mapping[str, Any]) -> Any:
        stack: list[Any] = []
        for step in self.steps:
            if step.compute is not None:
                arguments = stack[-step.n_arguments :]
                del stack[-step.n_arguments :]
                stack.append(step.compute(*arguments))
            else:
                stack.append(step.literal if step.column is None else operands[step.column])
        return stack[0]


def _take(value: Any, rows: slice) -> Any:
    return value.take(rows) if isinstance(value, Words) else value[rows]

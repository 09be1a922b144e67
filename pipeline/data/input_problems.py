"""Collect the problems of a file with their places, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import DataError
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    _Places = NDArray[np.int64]

__all__ = ["MAX_INPUT_PROBLEMS", "InputProblem", "InputProblems", "quote_shortened", "to_data_error"]

MAX_INPUT_PROBLEMS = 100
_MAX_QUOTED_CHARS = 60


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One problem of a file; `str()` of it is ``file:line:column: rule: value (hint)``.

    `line` counts from 1; `column` is the name of the column, or the number of the field (from 1)
    where it has no name. `remedy` is the setting that accepts the value, None where there is none.
    """

    path: str
    line: int
    column: str
    rule: str
    value: str
    hint: str
    remedy: str | None = None

    def __str__(self) -> str:
        remedy = "" if self.remedy is None else f"; {self.remedy}"
        return f"{self.path}:{self.line}:{self.column}: {self.rule}: {self.value} ({self.hint}{remedy})"


@dataclass(slots=True)
class InputProblems:
    """The problems of one file; beyond the limit, adding one only sets `is_truncated`.

    `private_notes` has the texts that are shown in place of values of private columns. Where there are any, no part
    of a line below the header is quoted either; `header_line` is the number of its line.
    """

    path: str
    limit: int = MAX_INPUT_PROBLEMS
    private_notes: Mapping[str, str] = field(default_factory=dict)
    items: list[InputProblem] = field(default_factory=list)
    is_truncated: bool = False
    header_line: int = 1

    def add(self, line: int, column: str | int, rule: str, value: str, hint: str, *, remedy: str | None = None) -> None:
        """Add a problem; at the limit, only record that there are more."""
        if len(self.items) < self.limit:
            shown = value if line == self.header_line else self._value_to_show(column, value)
            self.items.append(InputProblem(self.path, line, str(column), rule, shown, hint, remedy))
        else:
            self.is_truncated = True

    def _value_to_show(self, column: str | int, value: str) -> str:
        if self.private_notes and isinstance(column, int):
            return "not shown (the file has private columns)"
        return self.private_notes.get(str(column), value)

    def take_reportable(self, places: _Places) -> _Places:
        """Return the first of `places` that can still be added; record when there are more."""
        n_free = self.limit - len(self.items)
        self.is_truncated |= len(places) > n_free
        return places[:n_free]

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return len(self.items) >= self.limit

    def sorted_by_line(self) -> list[InputProblem]:
        """Return the problems by line, those of a line in the order in which they were added."""
        return sorted(self.items, key=lambda problem: problem.line)


def to_data_error(problems: Sequence[InputProblem]) -> DataError:
    """Return the error that lists `problems` and the next step."""
    path = problems[0].path
    count = (
        f"the first {len(problems)} problems"
        if len(problems) >= MAX_INPUT_PROBLEMS
        else pluralize(len(problems), "problem")
    )
    listed = "\n".join(str(problem) for problem in problems)
    redraft = "; `mlops data init FILE --target COLUMN --replace` drafts it anew"
    redraft = redraft if any(problem.remedy is not None for problem in problems) else ""
    return DataError(
        f"{listed}\n{path}: refused for {count} above; nothing was read. Correct the file or its declaration{redraft}"
    )


def quote_shortened(value: str | bytes) -> str:
    """Return `value` in quotes and on one line, at most 60 characters of it."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return (
        repr(text) if len(text) <= _MAX_QUOTED_CHARS else f"{text[:_MAX_QUOTED_CHARS]!r}... ({len(text):,} characters)"
    )

"""What the engine says to those who call it: problems of a body, notices beside an answer, readiness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.serving.errors import FieldError

__all__ = [
    "LineMap",
    "PredictionBatch",
    "PredictionWarning",
    "Readiness",
]


@dataclass(frozen=True, slots=True)
class LineMap:
    """Where in a text rows stood: the line of each, and what could not be read, with the line of each problem."""

    row_lines: Sequence[int]
    errors: tuple[FieldError, ...] = ()
    error_lines: tuple[int, ...] = ()

    @property
    def n_rows(self) -> int:
        """How many lines there are, read or not."""
        return len(self.row_lines) + len(set(self.error_lines))


@dataclass(frozen=True, slots=True)
class PredictionWarning:
    """What makes an answer less certain: a value beyond those of training, a word never seen, many missing."""

    feature: str
    rule: Literal["out_of_range", "unseen", "many_missing"]
    message: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether predictions can be answered, and if not, why."""

    is_ready: bool
    reason: str = ""


@dataclass(frozen=True)
class PredictionBatch:
    """Answers to many rows, by column; all of them come from one bundle.

    `rows` has the position of each answered row among those that were given: all of them unless bad rows were left
    out, which `problems` names. `make_body` writes `body`.
    """

    predictions: list[str]
    confidences: list[float]
    probabilities: list[list[float]]
    prediction_ids: list[str]
    row_positions: list[int]
    errors: tuple[FieldError, ...]
    encode_body: Callable[[], bytes]

    @cached_property
    def body(self) -> bytes:
        """The same as JSON, as `POST /predict/batch` answers it; written for those who ask."""
        return self.encode_body()

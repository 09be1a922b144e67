"""Values that the engine takes and returns: batches of predictions, warnings, readiness, the lines of a text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.serving.serving_errors import FieldError

__all__ = [
    "LineMap",
    "PredictionBatch",
    "PredictionWarning",
    "Readiness",
    "Variant",
]

Variant = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class LineMap:
    """The lines of the rows of a text, and the lines that could not be parsed with their errors."""

    row_lines: Sequence[int]
    errors: tuple[FieldError, ...] = ()
    error_lines: tuple[int, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of lines, parsed or not."""
        return len(self.row_lines) + len(set(self.error_lines))


@dataclass(frozen=True, slots=True)
class PredictionWarning:
    """A reason to trust a prediction less: a value outside the training range, an unseen value, many missing values."""

    feature: str
    rule: Literal["out_of_range", "unseen", "many_missing"]
    message: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can get predictions, and the reason when they cannot.

    Probes show the `reason` without credentials; `detail` may have paths and addresses, for the log and the status.
    """

    is_ready: bool
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class PredictionBatch:
    """Predictions for many rows, by column, all from one model version.

    `row_positions` holds the position of each predicted row among the given rows: all of them, unless invalid rows were
    left out. `errors` names the faults of the rows that were left out. `warnings` has a text for each row, such as
    `plan: unseen`, empty where there is no warning. `encode_body` encodes `body`.
    """

    predictions: list[str]
    confidences: list[float]
    probabilities: list[list[float]]
    prediction_ids: list[str]
    warnings: list[str]
    row_positions: list[int]
    errors: tuple[FieldError, ...]
    model_version: int
    variant: Variant
    encode_body: Callable[[], bytes]

    @cached_property
    def body(self) -> bytes:
        """The predictions as the JSON of `POST /predict/batch`, encoded at the first use."""
        return self.encode_body()

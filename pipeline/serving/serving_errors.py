"""The errors that the engine raises; they are independent of HTTP.

::

    ServingError
    |-- InvalidRequest            fields, rows or header words differ from what is declared
    |   |-- MalformedBody         the bytes cannot be decoded
    |   |-- BodyTooLarge          more rows or values than one request may have
    |   |-- IdempotencyConflict   the key belongs to a request with another body
    |   `-- UnknownPrediction     an outcome names a prediction that is not in the log
    `-- NotReady                  no prediction can be made now; a later try may succeed
        |-- LogQueueFull          too many rows wait to be logged
        |-- LogUnavailable        the prediction log cannot be written
        `-- StateUnavailable      the state database cannot be written
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import DataError, DependencyUnavailable, MlopsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = [
    "BodyTooLarge",
    "FieldError",
    "IdempotencyConflict",
    "InvalidRequest",
    "LogQueueFull",
    "LogUnavailable",
    "MalformedBody",
    "NotReady",
    "ServingError",
    "StateUnavailable",
    "UnknownPrediction",
]

_MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid part of a request: its path, the violated rule and the expected value; never the sent value."""

    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ServingError(MlopsError):
    """Base of the errors that the engine raises for a request."""


class InvalidRequest(ServingError, DataError):
    """A request does not match the declared schema.

    Parameters
    ----------
    errors : iterable of FieldError
        The first 20 stay in `errors`; `n_errors` counts all of them.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        all_errors = tuple(errors)
        super().__init__("; ".join(map(str, all_errors[:3])))
        self.errors = all_errors[:_MAX_ERRORS]
        self.n_errors = len(all_errors)

    @classmethod
    def for_field(cls, path: str, rule: str, message: str) -> Self:
        """Return the error for a single fault."""
        return cls([FieldError(path, rule, message)])


class MalformedBody(InvalidRequest):
    """The bytes of the body cannot be decoded."""


class BodyTooLarge(InvalidRequest):
    """The body has more rows or values than one request may have."""


class IdempotencyConflict(InvalidRequest):
    """The idempotency key belongs to a request with another body."""


class UnknownPrediction(InvalidRequest):
    """An outcome names a prediction that is not in the log."""


class NotReady(ServingError, DependencyUnavailable):
    """No prediction can be made now.

    Parameters
    ----------
    message : str
    retry_after_s : int
        Seconds after which a new try makes sense.
    """

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LogQueueFull(NotReady):
    """Too many rows wait to be logged."""


class LogUnavailable(NotReady):
    """The prediction log cannot be written, and unlogged predictions are not allowed."""


class StateUnavailable(NotReady):
    """The state database cannot be written."""

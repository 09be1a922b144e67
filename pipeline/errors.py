"""Error classes of the project, each with its exit code.

::

    MlopsError                70  base class; never raised directly
    |-- UsageError             2  invalid command-line arguments
    |-- ConfigError            3  invalid configuration
    |   |-- UnknownOption          the option is in no lookup table
    |   |-- TargetRefused          a `_target_` that is not allowed
    |   `-- ExtensionFailed        code of an extension raised an error
    |-- DataError              4  rows or files do not match their declaration
    |   |-- UnreadableFile         a file cannot be read at all
    |   `-- UnsupportedFrame       an object is no frame with named columns
    |-- GateRefused            5  a candidate failed its gates
    |-- Conflict               6  another process holds a lock or changed the state first
    |-- DependencyUnavailable  7  a server, disk or package is unavailable
    |   |-- DatabaseMissing        the state database is gone, packages that it registered are there
    |   `-- DatabaseDamaged        the file of the state database is damaged
    |-- IntegrityError         8  checksum mismatch
    `-- NotAllowed             9  the caller lacks the role
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "Conflict",
    "DataError",
    "DatabaseDamaged",
    "DatabaseMissing",
    "DependencyUnavailable",
    "ExtensionFailed",
    "GateRefused",
    "IntegrityError",
    "MlopsError",
    "NotAllowed",
    "TargetRefused",
    "UnknownOption",
    "UnreadableFile",
    "UnsupportedFrame",
    "UsageError",
    "did_you_mean",
]


class MlopsError(Exception):
    """Base class of all errors of the project; `str()` of an error is a message for the user."""

    exit_code: ClassVar[int] = 70


class UsageError(MlopsError):
    """A command was called with invalid arguments."""

    exit_code = 2


class ConfigError(MlopsError):
    """A setting is unknown, of the wrong type, out of range or inconsistent with another."""

    exit_code = 3


class UnknownOption(ConfigError):
    """An option in YAML is not in its lookup table."""


class TargetRefused(ConfigError):
    """A `_target_` is not allowed."""


class ExtensionFailed(ConfigError):
    """Code of an extension raised an error, or returned what the engine cannot use."""


class DataError(MlopsError):
    """Rows or files do not match their declaration."""

    exit_code = 4


class UnreadableFile(DataError):
    """A file cannot be read at all, because it is damaged, missing or of another format."""


class UnsupportedFrame(DataError, TypeError):
    """An object is no frame with named columns; it is also a TypeError, as scikit-learn's users expect."""


class GateRefused(MlopsError):
    """A candidate failed its gates."""

    exit_code = 5


class Conflict(MlopsError):
    """Another process holds the lock, or changed the state first."""

    exit_code = 6


class DependencyUnavailable(MlopsError):
    """A server, a disk or an optional package is unavailable."""

    exit_code = 7


class DatabaseMissing(DependencyUnavailable):
    """The state database is missing, although registered packages exist."""


class DatabaseDamaged(DependencyUnavailable):
    """The file of the state database is damaged."""


class IntegrityError(MlopsError):
    """A file or a row does not match its checksum."""

    exit_code = 8


class NotAllowed(MlopsError):
    """The caller lacks the role for this action."""

    exit_code = 9


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, else ``""``."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

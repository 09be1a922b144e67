"""Everything we raise on purpose, and the exit code that each kind ends a program with.

::

    MlopsError                70  base; never raised itself
    |-- UsageError             2  the call's words are off
    |-- ConfigError            3  a setting was refused
    |   |-- UnknownKind            a word that is in no table
    |   `-- TargetRefused          a `_target_` that we do not build
    |-- DataError              4  rows or files are not what was declared
    |-- GateRefused            5  a candidate did not pass
    |-- Conflict               6  somebody else holds it, or was first
    |-- DependencyUnavailable  7  a server or a file system said no
    |-- IntegrityError         8  bytes are not those that were written
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
    "DependencyUnavailable",
    "GateRefused",
    "IntegrityError",
    "MlopsError",
    "NotAllowed",
    "TargetRefused",
    "UnknownOption",
    "UsageError",
    "did_you_mean",
]


class MlopsError(Exception):
    """Base of everything that we raise; `str()` of it is a message for a person."""

    exit_code: ClassVar[int] = 70


class UsageError(MlopsError):
    """A command was called with words that do not fit it."""

    exit_code = 2


class ConfigError(MlopsError):
    """A setting is unknown, of the wrong type, out of range or impossible with another."""

    exit_code = 3


class UnknownOption(ConfigError):
    """A word in YAML names no member of its table."""


class TargetRefused(ConfigError):
    """A `_target_` names something that we do not build."""


class DataError(MlopsError):
    """Rows or files are not what the declaration says."""

    exit_code = 4


class GateRefused(MlopsError):
    """A candidate did not pass its gates."""

    exit_code = 5


class Conflict(MlopsError):
    """Another process holds what is asked for, or has changed it first."""

    exit_code = 6


class DependencyUnavailable(MlopsError):
    """Something outside of us (a server, a disk, an optional package) is not to be had."""

    exit_code = 7


class IntegrityError(MlopsError):
    """Bytes are not those that were written."""

    exit_code = 8


class NotAllowed(MlopsError):
    """The caller lacks the right to do this."""

    exit_code = 9


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or ``""`` when none is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

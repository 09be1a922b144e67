"""Call code of an extension; an error in it names the extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pipeline.errors import ExtensionFailed, MlopsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_extension"]

P = ParamSpec("P")
R = TypeVar("R")


def call_extension(role: str, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Return the result of a function of an extension.

    Parameters
    ----------
    role : str
        What the function is, such as `metric expected_cost`.

    Raises
    ------
    ExtensionFailed
        When the function raises an error that is not one of the engine's, or exits.
    """
    try:
        return function(*arguments, **named)
    except MlopsError:
        raise
    except (Exception, SystemExit) as error:
        raise ExtensionFailed(
            f"{role} of the extension {function.__module__}: {type(error).__name__}: {error}; correct the extension"
        ) from error

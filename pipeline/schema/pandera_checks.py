"""Create Pandera checks whose failures have the declared names; Pandera is imported at its first use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandera.pandas as pa

    from pipeline.schema.intervals import Interval

__all__ = ["interval_check", "membership_check", "registered_check", "text_check", "value_check"]

_ALIASES = ("between", "eq", "ge", "gt", "le", "lt", "ne")


def registered_check(key: str, name: str, arguments: Any) -> pa.Check:
    """Return the check that is registered with Pandera under `name`.

    Parameters
    ----------
    key : str
        Key path of the declaration, for messages.
    name : str
    arguments : plain value
        A mapping gives arguments by name, anything else is the only argument.

    Raises
    ------
    ConfigError
        When there is no such check, or when it refuses the arguments.
    """
    import pandera.pandas as pa

    known = sorted({*pa.Check.CHECK_FUNCTION_REGISTRY, *pa.Check.REGISTERED_CUSTOM_CHECKS, *_ALIASES})
    if name not in known:
        raise ConfigError(
            f"{key}: is not registered with Pandera; known: {', '.join(known)}{did_you_mean(name, known)}"
        )
    members = next(iter(arguments.values()), None) if isinstance(arguments, dict) else arguments
    if name in ("isin", "notin") and not isinstance(members, list):
        raise ConfigError(f"{key}: found {arguments!r}; give a list of values, such as {name}: [1, 2]")
    make = getattr(pa.Check, name)
    try:
        check: pa.Check = make(**arguments, error=name) if isinstance(arguments, dict) else make(arguments, error=name)
    except (TypeError, ValueError, re.error) as error:
        raise ConfigError(f"{key}: found {arguments!r}: {error}") from error
    return check


def interval_check(interval: Interval, *, error: str) -> pa.Check:
    """Return the check that values are within an interval of the column's own type."""
    import pandera.pandas as pa

    low, high = interval.low, interval.high
    if low is not None and high is not None:
        if low > high:
            return pa.Check(lambda series: series.isna(), error=error)
        return pa.Check.in_range(low, high, error=error)
    if low is not None:
        return pa.Check.ge(low, error=error)
    if high is not None:
        return pa.Check.le(high, error=error)
    return pa.Check(lambda series: series.notna(), error=error)


def membership_check(members: Sequence[Any], *, is_allowed: bool, error: str) -> pa.Check:
    """Return the check that values are among the members, or are not."""
    import pandera.pandas as pa

    make = pa.Check.isin if is_allowed else pa.Check.notin
    check: pa.Check = make(list(members), error=error)
    return check


def text_check(accepts: Callable[[str], bool], *, error: str) -> pa.Check:
    """Return the check that `accepts` returns True for each text; pandas has other regular expressions than Python."""
    import pandera.pandas as pa

    return pa.Check(
        lambda series: series.map(lambda value: isinstance(value, str) and accepts(value)).astype(bool), error=error
    )


def value_check(accepts: Callable[[Any], bool], *, error: str) -> pa.Check:
    """Return the check that `accepts` returns True for each value that is not missing."""
    import pandera.pandas as pa

    return pa.Check(lambda series: series.map(accepts).astype(bool), error=error)

"""The verdicts of drift tests in the order of their severity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DriftVerdict", "most_severe_verdict"]

DriftVerdict = Literal["stable", "watch", "drift", "not_enough_data", "not_evaluated"]

_SEVERITY_ORDER: tuple[DriftVerdict, ...] = ("drift", "watch", "not_enough_data", "stable", "not_evaluated")


def most_severe_verdict(verdicts: Iterable[DriftVerdict]) -> DriftVerdict:
    """Return the most severe verdict; `not_evaluated` only when there is no other.

    Examples
    --------
    >>> most_severe_verdict(["stable", "watch"]), most_severe_verdict([])
    ('watch', 'not_evaluated')
    """
    return min(verdicts, key=_SEVERITY_ORDER.index, default="not_evaluated")

"""Run items in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["InlineEngine"]

T = TypeVar("T")
R = TypeVar("R")


class InlineEngine:
    """Runs items one after the other in this process."""

    def map(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        *,
        noun: str = "part",  # noqa: ARG002 - names an item whose worker died, and no worker is here
    ) -> Iterator[tuple[int, R]]:
        """Yield (position, result) in the order of `items`; see `PartEngine.map`."""
        for position, item in enumerate(items):
            yield position, function(item)

"""Look up the function that an option in YAML names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pipeline.errors import UnknownOption, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LookupTable"]

T = TypeVar("T")


class LookupTable(Generic[T]):
    """Variants of one setting, registered by `add` and looked up by `[]`.

    Parameters
    ----------
    key : str
        Key path of the setting that selects a member; error messages start with it.

    Examples
    --------
    >>> SPLITTERS: LookupTable[object] = LookupTable("split.kind")
    >>> @SPLITTERS.add("stratified")
    ... def split_stratified(): ...
    >>> SPLITTERS["stratfied"]
    Traceback (most recent call last):
    pipeline.errors.UnknownOption: split.kind: 'stratfied' is not known; known: stratified; did you mean 'stratified'?
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._members: dict[str, T] = {}

    def add(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its function under `name`."""

        def register(member: T) -> T:
            if name in self._members:
                raise ValueError(f"{self._key}: {name!r} is registered already")
            self._members[name] = member
            return member

        return register

    def __getitem__(self, name: str) -> T:
        try:
            return self._members[name]
        except KeyError:
            known = ", ".join(self._members)
            hint = did_you_mean(name, self._members)
            raise UnknownOption(f"{self._key}: {name!r} is not known; known: {known}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

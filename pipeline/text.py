"""Say a number of things in words: one row, two rows."""

from __future__ import annotations

__all__ = ["pluralize"]


def pluralize(n: int, singular: str, plural: str | None = None) -> str:
    """Return a number with what it counts: `things` is the plural where it is not `thing` with an s.

    Examples
    --------
    >>> counted(1, "row"), counted(2000, "row"), counted(0, "entry", "entries")
    ('1 row', '2,000 rows', '0 entries')
    """
    return f"{n:,} {singular if n == 1 else plural if plural is not None else f'{singular}s'}"

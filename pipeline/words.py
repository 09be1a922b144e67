"""Say a number of things in words: one row, two rows."""

from __future__ import annotations

__all__ = ["counted"]


def counted(n: int, thing: str, things: str | None = None) -> str:
    """Return a number with what it counts: `things` is the plural where it is not `thing` with an s.

    Examples
    --------
    >>> counted(1, "row"), counted(2000, "row"), counted(0, "entry", "entries")
    ('1 row', '2,000 rows', '0 entries')
    """
    return f"{n:,} {thing if n == 1 else things if things is not None else f'{thing}s'}"

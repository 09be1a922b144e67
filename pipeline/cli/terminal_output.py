"""Write aligned tables and colored verdicts to a terminal; a pipe, a file and NO_COLOR get no colors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["colored", "print_progress", "print_table"]

_COLORS: Mapping[str, str] = {
    "drift": "red", "degraded": "red", "critical": "red", "reject": "red", "fail": "red", "worse": "red",
    "error": "red", "watch": "yellow", "warning": "yellow", "hold": "yellow", "stable": "green", "promote": "green",
    "pass": "green", "better": "green", "Production": "green", "Staging": "cyan",
}  # fmt: skip


def colored(text: str, word: str) -> str:
    """Return a text in the color of a verdict, severity or stage; unchanged where the output shows no colors."""
    color = _COLORS.get(word)
    return typer.style(text, fg=color) if color is not None and _has_colors() else text


def _has_colors() -> bool:
    """Return whether standard output is a terminal that may show colors (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, in aligned columns; nothing without rows. A known word has its color."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    typer.echo(_aligned(head, widths))
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        cells[-1] = row[-1]
        typer.echo("  ".join(colored(cell, text) for cell, text in zip(cells, row, strict=True)).rstrip())


def print_progress(n_done: int, n_total: int | None) -> None:
    """Print the number of finished rows to standard error; `n_total` is None where it is unknown."""
    whole = "" if not n_total else f" of {n_total:,} ({percent(n_done / n_total)})"
    typer.echo(f"{pluralize(n_done, 'row')}{whole}", err=True)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True)).rstrip()

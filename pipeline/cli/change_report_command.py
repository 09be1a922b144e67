"""The command that says what a change of the project does."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["report"]


def report(
    *,
    base: Annotated[str, typer.Option("--base", help="Branch, tag or commit to compare with.")] = "main",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="FILE.md, FILE.html (with pictures) or FILE.json; Markdown is printed when left out."
        ),
    ] = None,
    with_latency: Annotated[
        bool, typer.Option("--latency", help="Time both models on one row; differs by machine and moment.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what this folder changes: settings in words, stages, figures with intervals, gates, slices, columns."""
    from pipeline import change_report
    from pipeline.project.root import find_state_root

    forms: dict[str, Callable[[change_report.ChangeReport], str]] = {
        ".md": change_report.change_report_markdown,
        ".html": change_report.change_report_html,
        ".json": lambda found: canonical_json(found.as_dict()),
    }
    if output is not None and output.suffix not in forms:
        raise UsageError(f"--output {output}: accepted is a file that ends with {', '.join(forms)}")
    found = change_report.build_change_report(find_state_root(), base, with_latency=with_latency)
    if output is not None:
        write_text(output, forms[output.suffix](found))
        typer.echo(f"{output}: {change_report.change_headline(found)}", err=as_json)
    if as_json or output is None:
        typer.echo(forms[".json" if as_json else ".md"](found), nl=False)

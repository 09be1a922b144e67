"""`mlops change-report`: compare this folder with another commit."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError
from pipeline.files import canonical_json, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.change_report import ChangeReport

__all__ = ["change_report"]


def change_report(
    *,
    base: Annotated[str, typer.Option("--base", help="Branch, tag or commit to compare with.")] = "main",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="FILE.md, FILE.html (with plots) or FILE.json; prints Markdown by default."
        ),
    ] = None,
    with_latency: Annotated[
        bool, typer.Option("--latency", help="Measure the latency of both models; varies by machine and run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report what this folder changes: settings, stages, metrics with intervals, gates, slices, features."""
    from pipeline.change_report import (
        build_change_report,
        change_headline,
        change_report_html,
        change_report_markdown,
    )
    from pipeline.project import paths
    from pipeline.project.root import find_state_root
    from pipeline.report_index import write_report_index

    root = find_state_root()
    is_indexed = output is not None and output.resolve() == (root / paths.CHANGE_REPORT).resolve()
    index_address = paths.REPORT_INDEX.name if is_indexed else None
    formats: dict[str, Callable[[ChangeReport], str]] = {
        ".md": change_report_markdown,
        ".html": lambda report: change_report_html(report, index_address=index_address),
        ".json": lambda report: canonical_json(report.as_dict()),
    }
    if output is not None and output.suffix not in formats:
        raise UsageError(f"--output {output}: expected a file that ends with {', '.join(formats)}")
    report = build_change_report(root, base, with_latency=with_latency)
    if output is not None:
        write_text(output, formats[output.suffix](report))
        if is_indexed:
            write_report_index(root)
        typer.echo(f"{output}: {change_headline(report)}", err=as_json)
    if as_json or output is None:
        typer.echo(formats[".json" if as_json else ".md"](report), nl=False)

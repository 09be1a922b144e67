"""Commands about the project itself: whether what stands here is whole, and what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import DependencyUnavailable, IntegrityError
from pipeline.files import canonical_json
from pipeline.text import pluralize

__all__ = ["doctor", "status", "verify"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def verify(*, as_json: AsJson = False) -> None:
    """Read every output and every cached object again and compare them with dvc.lock."""
    from pipeline.maintenance import verify as integrity

    result = integrity.verify_project(Path())
    if as_json:
        typer.echo(canonical_json(result.as_dict()), nl=False)
    else:
        for finding in result.findings:
            typer.echo(f"{finding.location}: {finding.path}: {finding.problem} (expected md5 {finding.expected_md5})")
        typer.echo(f"{pluralize(result.n_outputs, 'output')} and {pluralize(result.n_cached, 'cached object')} read")
    if result.findings:
        raise IntegrityError(
            f"{len(result.findings)} of them are not what dvc.lock names. Remove the changed cache objects listed above,"
            " then `dvc repro` makes them anew; `dvc checkout --force` restores changed outputs from a sound cache."
        )


def doctor(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name problems, mend nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what keeps the project from working and mend what can be mended."""
    from pipeline.maintenance.doctor import run_diagnostics

    found = run_diagnostics(Path(), heal=not dry_run)
    if as_json:
        typer.echo(canonical_json([diagnosis.as_dict() for diagnosis in found]), nl=False)
    else:
        for diagnosis in found:
            typer.echo(f"{diagnosis.state:8} {diagnosis.check}: {diagnosis.detail}")
    problems = [diagnosis.check for diagnosis in found if diagnosis.state == "problem"]
    if problems:
        raise DependencyUnavailable(f"not mended: {', '.join(problems)}; see above what to do")


def status(*, as_json: AsJson = False) -> None:
    """Say what the last run made, its headline figures, and what to do next."""
    from pipeline.maintenance import project_summary

    found = project_summary.summarize_project(Path())
    typer.echo(canonical_json(found.as_dict()) if as_json else found.as_text(), nl=False)

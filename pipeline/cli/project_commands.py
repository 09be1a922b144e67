"""`mlops project`: verify the outputs, diagnose problems, summarize the last run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import DependencyUnavailable, IntegrityError
from pipeline.files import canonical_json
from pipeline.text import pluralize, visible_line

if TYPE_CHECKING:
    from pipeline.production_status import HealthState, ProductionStatus

__all__ = ["app", "doctor", "status", "verify"]

_COLORS: dict[HealthState, str] = {
    "healthy": typer.colors.GREEN,
    "unknown": typer.colors.BRIGHT_BLACK,
    "degraded": typer.colors.YELLOW,
    "down": typer.colors.RED,
}

app = typer.Typer(help="Verify, diagnose and summarize the project in this folder.", no_args_is_help=True)


@app.command()
def verify(*, as_json: AsJson = False) -> None:
    """Verify every output and every cached object against dvc.lock."""
    from pipeline.maintenance.output_verification import verify_project

    result = verify_project(Path())
    if as_json:
        typer.echo(canonical_json(result.as_dict()), nl=False)
    else:
        for finding in result.findings:
            typer.echo(f"{finding.location}: {finding.path}: {finding.problem} (expected md5 {finding.expected_md5})")
        for output in result.unlocked:
            typer.echo(f"workspace: {output.path}: not in dvc.lock: {output.reason}; `dvc repro` runs the stage again")
        typer.echo(f"{pluralize(result.n_outputs, 'output')} and {pluralize(result.n_cached, 'cached object')} read")
    if result.findings:
        raise IntegrityError(
            f"checksum mismatch in {pluralize(len(result.findings), 'file')}. Remove the changed cache objects listed"
            " above and run `dvc repro`; `dvc checkout --force` restores changed outputs from an intact cache."
        )


@app.command()
def doctor(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report problems without fixing them.")] = False,
    graph: Annotated[
        bool, typer.Option("--graph", help="Check only what stops `dvc repro`; print only problems.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Diagnose the project and fix what can be fixed."""
    from pipeline.maintenance.doctor import run_diagnostics

    diagnoses = run_diagnostics(Path(), repair=not dry_run, only_graph=graph)
    if as_json:
        typer.echo(canonical_json([diagnosis.as_dict() for diagnosis in diagnoses]), nl=False)
    else:
        for diagnosis in diagnoses:
            if graph and diagnosis.state == "ok":
                continue
            typer.echo(f"{diagnosis.state:8} {diagnosis.check}: {diagnosis.detail}")
    problems = [diagnosis.check for diagnosis in diagnoses if diagnosis.state == "problem"]
    if problems:
        raise DependencyUnavailable(f"not fixed: {', '.join(problems)}; see the lines above for what to do")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Report the status of production, and summarize the last run: outputs, test metrics and next steps."""
    from pipeline.config.config_loader import load_params
    from pipeline.maintenance.production_check import check_production
    from pipeline.maintenance.project_summary import summarize_project
    from pipeline.project import paths
    from pipeline.project.stage_digests import engine_mismatch

    root = Path()
    mismatch = engine_mismatch(root)
    if mismatch is not None and not as_json:
        typer.secho(f"\n  {mismatch}", fg=typer.colors.YELLOW)
    has_run = (root / paths.EVALUATION_REPORT).exists()
    production = check_production(root, load_params(root / paths.PARAMS)) if (root / paths.PARAMS).exists() else None
    is_new = production is None or production.component("database").condition == "new"
    # A machine that only serves has no run; in a new project the summary names the command for one.
    summary = summarize_project(root) if has_run or is_new else None
    if as_json:
        values = {"production": production, "last_run": summary, "engine": mismatch}
        plain = {name: None if value is None else value.as_dict() for name, value in values.items()}
        typer.echo(canonical_json(plain), nl=False)
        return
    if production is not None:
        _print_production(production)
    typer.echo("  no run in this folder\n" if summary is None else summary.as_text(), nl=False)


def _print_production(status: ProductionStatus) -> None:
    """Print the sentence and one line for each component, in the color of its state on a terminal."""
    typer.secho(f"\n  {visible_line(status.sentence)}", fg=_COLORS[status.state], bold=True)
    for component in status.components:
        state = typer.style(f"{component.state:8}", fg=_COLORS[component.state])
        since = component.since_text(status.checked_at)
        typer.echo(f"    {state}  {component.label}{f', {since}' if since else ''}: {visible_line(component.text)}")

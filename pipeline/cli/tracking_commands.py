"""`mlops tracking`: record runs in MLflow, compare them, adopt one as an experiment file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import pluralize
from pipeline.tracing import root_span

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.tracking import ExperimentTracker

__all__ = ["app"]

app = typer.Typer(help="Record runs in MLflow, compare them, and adopt one as an experiment.", no_args_is_help=True)


def _tracking_config() -> TrackingConfig:
    from pipeline.config.config_loader import load_params

    return load_params(paths.PARAMS).tracking


def _open_tracker() -> ExperimentTracker:
    from pipeline.tracking import make_tracker

    return make_tracker(_tracking_config())


@app.command()
def sync(
    *,
    all_commits: Annotated[
        bool, typer.Option("--all-commits", help="Rebuild the runs of the whole git history from DVC's cache.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Record the results of this folder in MLflow, flush the outbox, and end runs whose process is gone."""
    from pipeline.tracking import sync_runs

    on_progress = (lambda line: typer.echo(line, err=True)) if as_json else typer.echo
    with root_span("mlops tracking sync"):
        report = sync_runs(Path(), _tracking_config(), all_commits=all_commits, on_progress=on_progress)
    if as_json:
        typer.echo(canonical_json(report.as_dict()), nl=False)
        return
    n_new = sum(run.is_new for run in report.published)
    status = f"{n_new:,} new" if n_new else "up to date"
    parts = [f"MLflow: {pluralize(len(report.published), 'run')}, {status}"]
    if report.sent_run_ids:
        parts.append(f"{pluralize(len(report.sent_run_ids), 'run')} sent from the outbox")
    if report.killed_run_ids:
        parts.append(f"{pluralize(len(report.killed_run_ids), 'run')} without a process ended as KILLED")
    if report.skipped:
        parts.append(f"{pluralize(len(report.skipped), 'commit')} skipped")
    typer.echo("; ".join(parts))
    _mirror_registry()


def _mirror_registry() -> None:
    """Mirror the deployments of the state database in MLflow's registry."""
    from pipeline.registry import open_model_registry

    result = open_model_registry(_tracking_config()).mirror()
    if result.error is not None:
        typer.echo(f"MLflow registry unreachable ({result.error}); updates wait in the outbox")
    elif result.models:
        typer.echo(f"MLflow registry in sync: {', '.join(result.models)}")
    for alias in result.overridden_aliases:
        typer.echo(f"alias {alias} was changed in MLflow; restored")


@app.command()
def flush(
    *,
    unfinished: Annotated[
        bool,
        typer.Option(
            "--unfinished", help="Include runs that have not ended, also of other machines; they end as KILLED."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send the runs that wait in the outbox because MLflow was unreachable."""
    from pipeline.tracking import flush_outbox

    run_ids = flush_outbox(_tracking_config(), unfinished=unfinished)
    if as_json:
        typer.echo(canonical_json(list(run_ids)), nl=False)
    else:
        typer.echo(f"{pluralize(len(run_ids), 'run')} sent")


@app.command()
def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Run ids, prefixes of ids, or names; all runs by default.")
    ] = None,
    *,
    sort_by: Annotated[str | None, typer.Option(help="Column to sort by, such as metrics.cv.log_loss.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also write a parallel-coordinates plot to this file (.png, .svg).")
    ] = None,
    color_by: Annotated[str | None, typer.Option(help="Column that colors the lines of the plot.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: the parameters that differ, and every metric."""
    tracker = _open_tracker()
    table = tracker.compare_runs(runs or None)
    if sort_by is not None:
        if sort_by not in table.columns:
            raise UsageError(f"--sort-by {sort_by!r}: no such column; known: {', '.join(table.columns)}")
        table = table.sort_values(sort_by, kind="stable", ignore_index=True)
    if plot is not None:
        tracker.plot_comparison(runs or None, color_by=color_by).savefig(plot, bbox_inches="tight")
        typer.echo(f"{plot}: plot written", err=True)
    if as_json:
        rows: list[dict[Any, Any]] = table.astype(object).where(table.notna(), None).to_dict(orient="records")
        typer.echo(canonical_json(rows), nl=False)
    else:
        typer.echo(_comparison_text(table))


def _comparison_text(table: pd.DataFrame) -> str:
    """Return the table with short ids and without metrics of single classes."""
    shown = table.assign(run_id=table["run_id"].astype("str").str[:8])
    columns = [name for name in shown.columns if not name.startswith("metrics.") or name.count(".") <= 2]
    return shown[columns].to_string(index=False, na_rep="", float_format="{:.5g}".format)


@app.command()
def adopt(
    run: Annotated[str, typer.Argument(help="Id of the run, a prefix of it, or its name.")],
    name: Annotated[str, typer.Option("--as", help="Name of the new file in conf/experiment/.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write conf/experiment/NAME.yaml with the settings of a run that differ from conf/."""
    from pipeline.sweeps import adopt_run

    adopted = adopt_run(_open_tracker(), run, name, conf=paths.CONF)
    if as_json:
        typer.echo(canonical_json(adopted.as_dict()), nl=False)
        return
    typer.echo(f"{adopted.path}: written; run it with `dvc exp run -S experiment={name}`, and commit it to keep it:")
    typer.echo(adopted.text, nl=False)

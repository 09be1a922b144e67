"""Commands about recorded runs: send them, compare them, and make an experiment file of the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import pluralize
from pipeline.tracing import root_span

if TYPE_CHECKING:
    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.tracking import ExperimentTracker

__all__ = ["adopt", "app"]

app = typer.Typer(help="Record runs in MLflow, send those that wait, compare them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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
    """Publish the results that stand here, where MLflow lacks them, and send what waits in the outbox."""
    from pipeline.tracking import sync_runs as work

    told = (lambda line: typer.echo(line, err=True)) if as_json else typer.echo
    with root_span("mlops track sync"):
        done = work(Path(), _tracking_config(), all_commits=all_commits, on_progress=told)
    if as_json:
        typer.echo(canonical_json(done.as_dict()), nl=False)
        return
    n_new = sum(one.is_new for one in done.published)
    parts = [f"MLflow has {pluralize(len(done.published), 'run')} of the results, {n_new or 'none'} of them new"]
    if done.sent_run_ids:
        parts.append(f"{pluralize(len(done.sent_run_ids), 'run')} sent from the outbox")
    if done.skipped:
        parts.append(f"{pluralize(len(done.skipped), 'commit')} left out")
    typer.echo("; ".join(parts))
    _mirror_registry()


def _mirror_registry() -> None:
    """Let MLflow's registry show what was decided since."""
    from pipeline.registry import registry_of

    done = registry_of(_tracking_config()).mirror()
    if done.error is not None:
        typer.echo(f"MLflow's registry cannot be had now ({done.error}); what it should show waits in the outbox")
    elif done.models:
        typer.echo(f"MLflow's registry shows {', '.join(done.models)} as decided")
    for alias in done.overridden_aliases:
        typer.echo(f"{alias} had been moved in MLflow, and was put back")


@app.command()
def send(
    *,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also runs whose process was killed before it ended them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send the runs that were kept on disk while MLflow was down."""
    from pipeline.tracking import flush_outbox as work

    sent = work(_tracking_config(), unfinished=unfinished)
    typer.echo(canonical_json(list(sent)) if as_json else f"{pluralize(len(sent), 'run')} sent\n", nl=False)


@app.command()
def compare(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids, beginnings of ids, or names; all runs when none is given.")
    ] = None,
    *,
    sort_by: Annotated[
        str | None, typer.Option(help="Column that orders the rows, such as metrics.cv.log_loss.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw parallel coordinates into this file (.png, .svg).")
    ] = None,
    color_by: Annotated[str | None, typer.Option(help="Column that colours the lines of the plot.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lay runs side by side: the parameters that differ, and every metric."""
    tracker = _open_tracker()
    table = tracker.compare_runs(runs or None)
    if sort_by is not None:
        if sort_by not in table.columns:
            raise UsageError(f"--sort-by: {sort_by!r} is no column; known: {', '.join(table.columns)}")
        table = table.sort_values(sort_by, kind="stable", ignore_index=True)
    if plot is not None:
        tracker.plot_comparison(runs or None, color_by=color_by).savefig(plot, bbox_inches="tight")
        typer.echo(f"drawn into {plot}", err=True)
    if as_json:
        rows: list[dict[Any, Any]] = table.astype(object).where(table.notna(), None).to_dict(orient="records")
        typer.echo(canonical_json(rows), nl=False)
        return
    shown = table.assign(run_id=table["run_id"].astype("str").str[:8])
    columns = [name for name in shown.columns if not name.startswith("metrics.") or name.count(".") <= 2]
    typer.echo(shown[columns].to_string(index=False, na_rep="", float_format="{:.5g}".format))


def adopt(
    run: Annotated[str, typer.Argument(help="Id of the run, the beginning of it, or its name.")],
    name: Annotated[str, typer.Option("--as", help="Name of the file in conf/experiment/.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write conf/experiment/NAME.yaml with what a recorded run does otherwise than conf/."""
    from pipeline.sweeps import adopt_run as work

    adopted = work(_open_tracker(), run, name, conf=paths.CONF)
    if as_json:
        typer.echo(canonical_json(adopted.as_dict()), nl=False)
        return
    typer.echo(f"{adopted.path} is written; `dvc exp run -S experiment={name}` runs it, a commit makes it last:")
    typer.echo(adopted.text, nl=False)

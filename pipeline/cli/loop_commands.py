"""`mlops loop`: run the loop, and show what its runs did and why nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelOption, open_state
from pipeline.files import canonical_json
from pipeline.text import iso_timestamp, pluralize

if TYPE_CHECKING:
    from pipeline.state import LoopRun

__all__ = ["app"]

app = typer.Typer(help="Run the loop of trials and retrains, and show what it did.", invoke_without_command=True)


@app.callback()
def loop(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Run once instead of every lifecycle.interval_minutes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Advance trials and retrains, within what conf/lifecycle permits, until Ctrl-C; or once."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.config.config_loader import load_params
    from pipeline.loop import print_loop_run, run_loop
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    config = load_params(root / paths.PARAMS)
    code = run_loop(config, root, once=once, report=_print_json if as_json else print_loop_run)
    if code:
        raise typer.Exit(code)


@app.command("list")
def list_(
    *,
    model: ModelOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most runs to list.")] = 20,
    include_idle: Annotated[bool, typer.Option("--all", help="Include runs in which nothing happened.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs in which something happened, newest first, and why nothing happened in the last run."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params

    name = load_params().name if model is None else model
    with open_state() as state, state.reading() as connection:
        runs = store.read_loop_runs(connection, name, limit=limit, acted=not include_idle)
        last = store.last_loop_run(connection, name)
    if as_json:
        body = {"runs": [run.as_dict() for run in runs], "last": None if last is None else last.as_dict()}
        typer.echo(canonical_json(body), nl=False)
        return
    for run in runs:
        _print_run(run, only_actions=not include_idle)
    if last is None:
        typer.echo(f"the loop of {name} has not run yet; run `mlops loop --once`")
    elif not any(run.seq == last.seq for run in runs):
        _print_run(last, only_actions=False)


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="Number of the run; see `mlops loop list`.")], *, as_json: AsJson = False
) -> None:
    """Show one run: each decision with its reason."""
    from pipeline import state as store

    with open_state() as state, state.reading() as connection:
        run = store.find_loop_run(connection, number)
    if as_json:
        typer.echo(canonical_json(run.as_dict()), nl=False)
    else:
        _print_run(run, only_actions=False)


def _print_run(run: LoopRun, *, only_actions: bool) -> None:
    from pipeline.loop import decision_line

    shown = [decision for decision in run.decisions if decision.is_action or not only_actions]
    left_out = len(run.decisions) - len(shown)
    rest = f" ({pluralize(left_out, 'subject')} without a change: `mlops loop show {run.seq}`)" if left_out else ""
    typer.echo(f"{run.seq}  {iso_timestamp(run.recorded_at)}  {run.holder}{rest}")
    for decision in shown:
        typer.echo(f"    {decision_line(decision)}")


def _print_json(run: LoopRun) -> None:
    typer.echo(canonical_json(run.as_dict()), nl=False)

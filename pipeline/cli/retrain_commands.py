"""`mlops retrain`: train the model again on labeled rows of the log, and decide about retrains."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ReasonOption, open_state
from pipeline.files import canonical_json
from pipeline.text import percent, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.retraining.retrain_request import RetrainOutlook
    from pipeline.state import LoopContext, Retrain

__all__ = ["app"]

app = typer.Typer(
    help="Train the model again on labeled rows of the prediction log, and decide about retrains.",
    invoke_without_command=True,
)

RetrainNumber = Annotated[int, typer.Argument(help="Number of the retrain; see `mlops retrain list`.")]
_FAILED = 7
_REFUSED = 5


@app.callback()
def retrain(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show triggers, labels by caller and guards; change nothing.")
    ] = False,
    reason: ReasonOption = "",
    as_json: AsJson = False,
) -> None:
    """Train the model again now, on a branch of its own; triggers and pauses of the loop do not count."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.retraining.retrain_request import ask_for_retrain, look_ahead
    from pipeline.retraining.retrain_steps import approve_retrain, run_retrain

    with _loop_context() as loop_context:
        outlook = look_ahead(loop_context)
        if dry_run:
            _print_outlook(outlook, as_json=as_json)
            raise typer.Exit(_REFUSED if outlook.holding else 0)
        minimum = loop_context.config.lifecycle.retrain.min_labels
        if outlook.champion is not None and outlook.inputs.n_new_labels < minimum:
            typer.echo(
                f"nothing to do: {outlook.inputs.n_new_labels:,} labels arrived since the last snapshot; expected at"
                f" least {minimum:,} (lifecycle.retrain.min_labels)"
            )
            return
        asked = ask_for_retrain(loop_context, outlook, cause="person", reason=reason or "a person asked for it")
        _announce(asked)
        _finish(run_retrain(loop_context, approve_retrain(loop_context, asked)), as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the retrains of the model, oldest first."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params

    name = load_params().name
    with open_state() as state, state.reading() as connection:
        retrains = store.read_retrains(connection, name)
    if as_json:
        typer.echo(canonical_json({"retrains": [found.as_dict() for found in retrains]}), nl=False)
        return
    for found in retrains:
        typer.echo(_retrain_line(found))
    if not retrains:
        typer.echo(f"{name} was not trained again yet; `mlops retrain --dry-run` shows what would decide")


@app.command()
def show(number: RetrainNumber, *, as_json: AsJson = False) -> None:
    """Show one retrain: its cause, rows, gates and result."""
    from pipeline import state as store

    with open_state() as state, state.reading() as connection:
        found = store.find_retrain(connection, number)
    if as_json:
        typer.echo(canonical_json(found.as_dict()), nl=False)
        return
    _print_retrain(found)


@app.command()
def approve(number: RetrainNumber, *, as_json: AsJson = False) -> None:
    """Carry out a retrain that was proposed, continue an interrupted one, or put its candidate on trial."""
    from pipeline import state as store
    from pipeline.retraining.retrain_steps import approve_retrain, run_retrain

    with _loop_context() as loop_context:
        with loop_context.state.reading() as connection:
            found = store.find_retrain(connection, number)
        if found.state in ("asked", "needs_decision") or not found.is_open:
            found = approve_retrain(loop_context, found)
        if found.state != "on_trial":
            _announce(found)
        _finish(run_retrain(loop_context, found), as_json=as_json)


@app.command()
def discard(
    number: RetrainNumber,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Reason, recorded in the audit trail.")],
    as_json: AsJson = False,
) -> None:
    """End an open retrain; its branch is deleted after 30 days."""
    from pipeline import state as store
    from pipeline.retraining.retrain_steps import discard_retrain

    with _loop_context() as loop_context:
        with loop_context.state.reading() as connection:
            found = store.find_retrain(connection, number)
        discarded = discard_retrain(loop_context, found, reason=reason)
    typer.echo(canonical_json(discarded.as_dict()) if as_json else _retrain_line(discarded), nl=not as_json)


@contextmanager
def _loop_context() -> Iterator[LoopContext]:
    """Yield what the steps need, for the person who runs the command."""
    from pipeline.config.config_loader import load_params
    from pipeline.project import paths
    from pipeline.project.actor import current_actor
    from pipeline.project.root import find_project_root
    from pipeline.state import LoopContext

    root = find_project_root()
    config = load_params(root / paths.PARAMS)
    with open_state(root) as state:
        yield LoopContext(state, config, root, now=state.clock(), mode="act", actor=current_actor())


def _announce(started: Retrain) -> None:
    """Print that the steps take long, and what continues them."""
    typer.echo(
        f"retrain {started.seq}: snapshot, training and gates take minutes; after an interruption"
        f" `mlops retrain approve {started.seq}` continues",
        err=True,
    )


def _finish(ended: Retrain, *, as_json: bool) -> None:
    """Print the state that was reached, and exit with its code."""
    if as_json:
        typer.echo(canonical_json(ended.as_dict()), nl=False)
    else:
        _print_retrain(ended)
    if ended.state in ("refused", "needs_decision"):
        raise typer.Exit(_REFUSED)
    if ended.state == "failed":
        raise typer.Exit(_FAILED)


def _retrain_line(found: Retrain) -> str:
    result = found.branch or found.error or ""
    return f"{found.seq}  {found.state:14}  {found.cause:12}  {timestamp(found.asked_at)}  {found.asked_by}  {result}"


def _print_retrain(found: Retrain) -> None:
    typer.echo(_retrain_line(found))
    typer.echo(f"reason    {found.facts['reason']}")
    if found.until_prediction is not None:
        rows = f"{found.n_rows or 0:,} rows up to prediction {found.until_prediction}, outcome {found.until_outcome}"
        typer.echo(f"snapshot  {rows}; {found.n_labels or 0:,} new labels")
    for gate in found.facts.get("evaluation", {}).get("gates", {}).get("gates", ()):
        typer.echo(f"gate      {gate['name']:22}  {gate['result']:4}  {gate['reason']}")
    if found.error is not None:
        typer.echo(f"end       {found.error}")
    if found.version is not None:
        typer.echo(f"version   {found.version}, on trial {found.trial}")
    if found.state in ("asked", "needs_decision"):
        typer.echo(f"next      `mlops retrain approve {found.seq}` or `mlops retrain discard {found.seq} --reason ...`")
    if found.branch is not None:
        typer.echo(f"branch    {found.branch}; read it with `git show {found.branch}`, then publish it yourself:")
        typer.echo(f"          git push origin {found.branch}")


def _print_outlook(outlook: RetrainOutlook, *, as_json: bool) -> None:
    if as_json:
        typer.echo(canonical_json(outlook.as_dict()), nl=False)
        return
    next_at = outlook.trigger.next_at
    typer.echo(f"trigger   {outlook.trigger.cause or 'none'}: {outlook.trigger.reason}")
    if next_at is not None:
        typer.echo(f"next look {timestamp(next_at)}")
    typer.echo(f"labels    {outlook.inputs.n_new_labels:,} since the last snapshot")
    for caller in outlook.callers:
        rate = caller.n_contradictions / caller.n_confident if caller.n_confident else None
        name = caller.caller or "(no credential)"
        typer.echo(f"caller    {name}: {caller.n_labels:,} labels, {percent(rate)} contradict a confident prediction")
    for guard in outlook.guards:
        typer.echo(f"guard     {guard.name}: {guard.result}: {guard.reason}")

"""`mlops trial`: start, show, approve, stop and replay trials of a challenger against Production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson, ModelOption, ReasonOption, open_registry, open_state, resolve_model
from pipeline.files import canonical_json
from pipeline.text import percent, timestamp

if TYPE_CHECKING:
    from pipeline.state import State, Trial
    from pipeline.trials import TrialVerdict

__all__ = ["app"]

app = typer.Typer(
    help="Compare a challenger with the version in Production: start, show, approve, stop and replay trials.",
    no_args_is_help=True,
)

TrialNumber = Annotated[int, typer.Argument(help="Number of the trial; see `mlops trial list`.")]


def _actor() -> str:
    from pipeline.project.actor import current_actor

    return current_actor()


@app.command()
def start(
    version: Annotated[int, typer.Argument(help="Number of the version that challenges Production.")],
    *,
    method: Annotated[
        str | None,
        typer.Option("--method", help="replay, live or split; by default as conf/lifecycle declares."),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share",
            min=0,
            max=1,
            help="Share of the requests, for --method split; by default that of the first canary step.",
        ),
    ] = None,
    reason: ReasonOption = "",
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Open a trial of a version against the one in Production."""
    from pipeline.config.config_loader import load_params
    from pipeline.trials import TrialRequest, start_trial

    registry = open_registry()
    request = TrialRequest(
        resolve_model(registry, model), version, _actor(), reason, method=_trial_method(method), share=share
    )
    with open_state() as state:
        trial = start_trial(state, registry.packages, load_params().lifecycle, request)
    typer.echo(canonical_json(trial.as_dict()) if as_json else _trial_line(trial), nl=not as_json)


@app.command("list")
def list_(
    *,
    include_decided: Annotated[bool, typer.Option("--all", help="Include decided trials.")] = False,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """List the open trials of a model, oldest first."""
    from pipeline import state as store

    name = resolve_model(open_registry(), model)
    with open_state() as state, state.reading() as connection:
        trials = store.read_trials(connection, name, is_open=None if include_decided else True)
    if as_json:
        typer.echo(canonical_json({"trials": [trial.as_dict() for trial in trials]}), nl=False)
        return
    for trial in trials:
        typer.echo(_trial_line(trial))
    if not trials:
        typer.echo("no trial" if include_decided else "no open trial; start one: `mlops trial start VERSION`")


@app.command()
def show(number: TrialNumber, *, as_json: AsJson = False) -> None:
    """Show one trial and its comparison so far."""
    with open_state() as state:
        trial, verdict = _trial_and_verdict(state, number)
    if as_json:
        body = {"trial": trial.as_dict(), "comparison": verdict.as_dict()}
        typer.echo(canonical_json(body), nl=False)
        return
    typer.echo(_trial_line(trial))
    for line in _detail_lines(trial, verdict):
        typer.echo(line)


@app.command()
def stop(number: TrialNumber, *, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Stop a trial; the version in Production stays, and servers drop the challenger at once."""
    from pipeline.trials import stop_trial

    with open_state() as state:
        trial = stop_trial(state, number, actor=_actor(), reason=reason)
    typer.echo(canonical_json(trial.as_dict()) if as_json else _trial_line(trial), nl=not as_json)


@app.command()
def approve(number: TrialNumber, *, as_json: AsJson = False) -> None:
    """Carry out what a trial proposes: its canary, a promotion or a rollback."""
    from pipeline.config.config_loader import load_params
    from pipeline.trials import approve_trial

    registry = open_registry()
    with open_state() as state:
        trial = approve_trial(state, registry.packages, load_params().lifecycle, number, actor=_actor())
    typer.echo(canonical_json(trial.as_dict()) if as_json else _trial_line(trial), nl=not as_json)


@app.command()
def replay(number: TrialNumber, *, as_json: AsJson = False) -> None:
    """Compute the verdict again from log and outcomes; exit 5 if the stored one differs."""
    from pipeline.errors import GateRefused
    from pipeline.trials import replay_verdict

    registry = open_registry()
    with open_state() as state:
        result = replay_verdict(state, registry.packages, number)
    if as_json:
        typer.echo(canonical_json(result.as_dict()), nl=False)
    elif result.is_equal:
        typer.echo(f"trial {number}: log and outcomes give the same verdict: {result.replayed['verdict']}")
    if not result.is_equal:
        raise GateRefused(
            f"trial {number}: log and outcomes give another verdict ({'; '.join(result.differences)}). Rows that were"
            " erased or are past their retention do not count again"
        )


def _trial_and_verdict(state: State, number: int) -> tuple[Trial, TrialVerdict]:
    from pipeline import state as store
    from pipeline.trials import current_verdict, read_comparison

    with state.reading() as connection:
        trial = store.find_trial(connection, number)
    return trial, current_verdict(state, trial, read_comparison(state, trial))


def _trial_method(method: str | None) -> Any:
    from pipeline.errors import UsageError

    if method not in (None, "replay", "live", "split"):
        raise UsageError(f"--method {method}: no such method; expected replay, live or split")
    return method


def _trial_line(trial: Trial) -> str:
    state = f"{trial.state} (step {trial.step}, {percent(trial.share)} of requests)" if trial.share else trial.state
    proposal = f"; proposed: {trial.proposal}, `mlops trial approve {trial.seq}`" if trial.proposal else ""
    versions = f"version {trial.challenger} against {trial.champion}"
    kind = f"{trial.purpose:9}  {trial.method:6}"
    return f"{trial.seq:5}  {timestamp(trial.opened_at)}  {kind}  {versions}  {state}{proposal}"


def _detail_lines(trial: Trial, verdict: TrialVerdict) -> list[str]:
    lines = [
        f"  comparison: {verdict.verdict}, {verdict.summary}",
        f"  rows with another class: {percent(verdict.disagreement)}",
        f"  predictions count from: {timestamp(trial.fresh_from)}",
        f"  opened by: {trial.opened_by}",
    ]
    if trial.decided_at is not None:
        lines.append(f"  decided: {timestamp(trial.decided_at)}")
    return lines

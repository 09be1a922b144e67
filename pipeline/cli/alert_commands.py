"""Commands about incidents: see them, say that somebody looks, ask for quiet, end them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.alerts import Actor
    from pipeline.state import Incident, Silence, State

__all__ = ["app"]

app = typer.Typer(
    help="See incidents, acknowledge, silence and resolve them, and send their messages.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ModelOption = Annotated[str | None, typer.Option("--name", help="The model; that of params.yaml when left out.")]
IncidentNumber = Annotated[int, typer.Argument(help="Number of the incident, as `mlops alerts list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for those who read the audit trail.")]


@contextmanager
def _open_state() -> Iterator[State]:
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    opened = store.open_state(find_project_root())
    try:
        yield opened
    finally:
        opened.close()


def _actor() -> Actor:
    from pipeline.alerts import Actor
    from pipeline.registry.stage_transitions import current_actor

    return Actor(current_actor())


@app.command("list")
def list_(
    *,
    name: Annotated[str | None, typer.Option("--name", help="Of one model.")] = None,
    include_resolved: Annotated[bool, typer.Option("--all", help="Resolved ones as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, newest first."""
    from pipeline.alerts import active_silences, list_incidents

    with _open_state() as state:
        found = list_incidents(state, name, include_resolved=include_resolved)
        quiet = active_silences(state, name)
    if as_json:
        told = {"incidents": [one.as_dict() for one in found], "silences": [one.as_dict() for one in quiet]}
        typer.echo(canonical_json(told), nl=False)
        return
    for one in found:
        typer.echo(_incident_line(one))
    if not found:
        typer.echo("no incident" if include_resolved else "no open incident")
    for silence_ in quiet:
        typer.echo(_silence_line(silence_))


@app.command()
def show(number: IncidentNumber, *, as_json: AsJson = False) -> None:
    """Show the message of one incident."""
    from pipeline import state as store

    with _open_state() as state, state.reading() as connection:
        found = store.find_incident(connection, number)
    typer.echo(canonical_json(found.as_dict()), nl=False) if as_json else typer.echo(
        f"{_incident_line(found)}\n{found.message}"
    )


@app.command()
def ack(number: IncidentNumber, *, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Say that somebody looks at it: receivers hear no more of it until it gets worse or ends."""
    from pipeline.alerts import acknowledge_incident

    with _open_state() as state:
        _print_incident(acknowledge_incident(state, number, actor=_actor(), reason=reason), as_json=as_json)


@app.command()
def resolve(number: IncidentNumber, *, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """End an incident; one that is still there opens again after its cool-down."""
    from pipeline.alerts import resolve_incident as end

    with _open_state() as state:
        _print_incident(end(state, number, actor=_actor(), reason=reason), as_json=as_json)


@app.command()
def silence(
    *,
    minutes: Annotated[float | None, typer.Option("--minutes", help="For how long.")] = None,
    incident: Annotated[str | None, typer.Option("--group", help="One group of incidents; all when left out.")] = None,
    end: Annotated[int | None, typer.Option("--end", help="End the silence with this number instead.")] = None,
    reason: ReasonOption = "",
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask for quiet until a moment; incidents are still kept, and told if they last longer."""
    from pipeline.alerts import create_silence as ask
    from pipeline.alerts import expire_silence
    from pipeline.config.config_loader import load_params

    if (minutes is None) == (end is None):
        raise UsageError("mlops alerts silence: say either `--minutes 60` or `--end NUMBER`")
    with _open_state() as state:
        if end is not None:
            made = expire_silence(state, end, actor=_actor(), reason=reason)
        else:
            model = name if name is not None else load_params().name
            made = ask(state, model, minutes=minutes or 0, incident=incident, actor=_actor(), reason=reason)
    typer.echo(canonical_json(made.as_dict()) if as_json else _silence_line(made), nl=not as_json)


@app.command("deliver")
def deliver_(
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until a signal comes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the messages that are due; those that no receiver takes wait for the next try."""
    from pipeline.alerts.delivery import deliver_due_messages, deliver_until_stopped
    from pipeline.alerts.monitor_loop import stop_on_signal
    from pipeline.config.config_loader import load_params

    config = load_params().alerts
    with _open_state() as state:
        done = deliver_due_messages(state, config)
        if follow:
            typer.echo("sending what comes to wait; Ctrl-C ends it", err=True)
            with stop_on_signal() as stop:
                deliver_until_stopped(stop, state, config)
    if as_json:
        typer.echo(
            canonical_json({"sent": done.n_sent, "failed": done.n_failed_receivers, "error": done.error}), nl=False
        )
    elif not follow:
        typer.echo(f"{pluralize(done.n_sent, 'message')} sent")
    if done.n_failed_receivers and not follow:
        raise DependencyUnavailable(
            f"{pluralize(done.n_failed_receivers, 'receiver')} could not be told: {done.error}; they wait"
        )


def _print_incident(incident: Incident, *, as_json: bool) -> None:
    typer.echo(canonical_json(incident.as_dict()) if as_json else _incident_line(incident), nl=not as_json)


def _incident_line(incident: Incident) -> str:
    by = {"acknowledged": incident.acknowledged_by, "resolved": incident.resolved_by}.get(incident.status)
    status = f"{incident.status} by {by}" if by else incident.status
    return f"{incident.seq:5}  {timestamp(incident.opened_at)}  {incident.severity:8}  {status:12}  {incident.title}"


def _silence_line(silence: Silence) -> str:
    about = silence.group_name if silence.group_name is not None else "everything"
    reason = f" ({silence.reason})" if silence.reason else ""
    return f"silence {silence.seq}: {about} of {silence.model} until {timestamp(silence.until)}, by {silence.actor}{reason}"

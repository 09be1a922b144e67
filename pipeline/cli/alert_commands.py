"""`mlops alerts`: list, acknowledge, silence and resolve incidents, and deliver their notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelFilter, ModelOption, ReasonOption, open_state
from pipeline.cli.terminal_output import print_table
from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize, timestamp, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.alerts import Actor
    from pipeline.state import Incident, Silence, State

__all__ = ["app"]

app = typer.Typer(
    help="List, acknowledge, silence and resolve incidents, and deliver their notifications.", no_args_is_help=True
)

_INCIDENT_HEAD = ("incident", "opened", "severity", "status", "model", "title")
IncidentNumber = Annotated[int, typer.Argument(help="Number of the incident; see `mlops alerts list`.")]


def _actor() -> Actor:
    from pipeline.alerts import Actor
    from pipeline.project.actor import current_actor

    return Actor(current_actor())


@app.command("list")
def list_(
    *,
    model: ModelFilter = None,
    include_resolved: Annotated[bool, typer.Option("--all", help="Include resolved incidents.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, newest first, and active silences."""
    from pipeline.alerts import active_silences, list_incidents

    with open_state() as state:
        incidents = list_incidents(state, model, include_resolved=include_resolved)
        silences = active_silences(state, model)
        none_open = _describe_no_open_incident(state, model)
    if as_json:
        body = {
            "incidents": [incident.as_dict() for incident in incidents],
            "silences": [silence.as_dict() for silence in silences],
        }
        typer.echo(canonical_json(body), nl=False)
        return
    sentence = _production_sentence(model)
    if sentence:  # beside the table, which programs may read
        typer.echo(sentence, err=True)
    print_table(_INCIDENT_HEAD, [_incident_cells(incident) for incident in incidents])
    if not incidents:
        typer.echo("no incident" if include_resolved else none_open)
    for active_silence in silences:
        typer.echo(_silence_line(active_silence))


def _production_sentence(model: str | None) -> str:
    """Return the sentence about production of this project; empty for another model and without settings."""
    from pipeline.config.config_loader import load_params
    from pipeline.maintenance.production_check import check_production
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    if not (root / paths.PARAMS).exists():
        return ""
    config = load_params(root / paths.PARAMS)
    return visible_line(check_production(root, config).sentence) if model in (None, config.name) else ""


def _describe_no_open_incident(state: State, model: str | None) -> str:
    """Return that no incident is open, and the reason if that is not known, such as a monitor that never ran."""
    from pipeline.config.config_loader import load_params
    from pipeline.production_status import assess_incidents, inspect_state, monitor_period_us
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    params = find_project_root() / paths.PARAMS
    if not params.exists():
        return "no open incident"
    config = load_params(params)
    known = inspect_state(state, config.name if model is None else model).model
    status = assess_incidents(known, state.clock(), monitor_period_us(config.monitoring))
    return f"no open incident. {status.text}" if status.state == "unknown" else "no open incident"


@app.command()
def show(number: IncidentNumber, *, as_json: AsJson = False) -> None:
    """Show one incident: since when, why, its effect, what was done, and what to do next."""
    from pipeline import state as store

    with open_state() as state:
        with state.reading() as connection:
            incident = store.find_incident(connection, number)
        lines = () if as_json else tuple(_report_lines(state, incident))
    typer.echo(canonical_json(incident.as_dict()) if as_json else "\n".join(lines), nl=not as_json)


def _report_lines(state: State, incident: Incident) -> Iterator[str]:
    """Yield the report of an incident; outside of a finished project only what the monitor wrote."""
    from pipeline.alerts.analysis import read_incident_report, report_lines
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import ModelMonitor
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    yield _incident_line(incident)
    if not (root / paths.PARAMS).exists():
        yield incident.message
        return
    config = load_params(root / paths.PARAMS)
    monitor = ModelMonitor(incident.model, root, config=config)
    yield from report_lines(read_incident_report(state, config, monitor.load_package, incident.seq))


@app.command()
def ack(number: IncidentNumber, *, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Acknowledge an incident: no further notifications until it escalates or resolves."""
    from pipeline.alerts import acknowledge_incident

    with open_state() as state:
        _print_incident(acknowledge_incident(state, number, actor=_actor(), reason=reason), as_json=as_json)


@app.command()
def resolve(number: IncidentNumber, *, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Resolve an incident; it opens again after its cool-down if its rule still fires."""
    from pipeline import state as store
    from pipeline.alerts import firing_findings, resolve_incident

    with open_state() as state:
        with state.reading() as connection:
            firing = firing_findings(state, store.find_incident(connection, number))
        if firing:
            typer.echo(f"incident {number} still fires and may open again: {'; '.join(firing)}", err=True)
        _print_incident(resolve_incident(state, number, actor=_actor(), reason=reason), as_json=as_json)


@app.command()
def silence(
    *,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Duration in minutes.")] = None,
    incident_group: Annotated[
        str | None, typer.Option("--incident-group", help="Group of incidents to silence; all groups by default.")
    ] = None,
    end: Annotated[int | None, typer.Option("--end", help="End the silence with this number instead.")] = None,
    reason: ReasonOption = "",
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Pause notifications for some minutes; incidents are still recorded."""
    from pipeline.alerts import create_silence, expire_silence
    from pipeline.config.config_loader import load_params

    if (minutes is None) == (end is None):
        raise UsageError("mlops alerts silence: pass either `--minutes 60` or `--end NUMBER`")
    with open_state() as state:
        if end is not None:
            changed = expire_silence(state, end, actor=_actor(), reason=reason)
        else:
            name = model if model is not None else load_params().name
            changed = create_silence(
                state, name, minutes=minutes or 0, incident=incident_group, actor=_actor(), reason=reason
            )
    typer.echo(canonical_json(changed.as_dict()) if as_json else _silence_line(changed), nl=not as_json)


@app.command("deliver")
def deliver_(
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Keep delivering until interrupted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deliver the notifications that are due; failed ones are retried later."""
    from pipeline.alerts.delivery import deliver_due_messages, deliver_until_stopped
    from pipeline.alerts.monitor_loop import stop_on_signal
    from pipeline.config.config_loader import load_params

    config = load_params().alerts
    with open_state() as state:
        report = deliver_due_messages(state, config)
        if follow:
            typer.echo("delivering notifications; press Ctrl-C to stop", err=True)
            with stop_on_signal() as stop:
                deliver_until_stopped(stop, state, config)
    if as_json:
        body = {"sent": report.n_sent, "failed": report.n_failed_receivers, "error": report.error}
        typer.echo(canonical_json(body), nl=False)
    elif not follow:
        typer.echo(f"{pluralize(report.n_sent, 'message')} sent")
    if report.n_failed_receivers and not follow:
        receivers = pluralize(report.n_failed_receivers, "receiver")
        raise DependencyUnavailable(f"{receivers} could not be notified: {report.error}; delivery is retried later")


def _print_incident(incident: Incident, *, as_json: bool) -> None:
    typer.echo(canonical_json(incident.as_dict()) if as_json else _incident_line(incident), nl=not as_json)


def _incident_cells(incident: Incident) -> list[str]:
    by = {"acknowledged": incident.acknowledged_by, "resolved": incident.resolved_by}.get(incident.status)
    status = f"{incident.status} by {by}" if by else incident.status
    opened = timestamp(incident.opened_at)
    return [str(incident.seq), opened, incident.severity, status, incident.model, incident.title]


def _incident_line(incident: Incident) -> str:
    number, *cells, title = _incident_cells(incident)
    return f"incident {number}  {'  '.join(cells)}: {title}"


def _silence_line(silence: Silence) -> str:
    group = silence.group_name if silence.group_name is not None else "all incidents"
    reason = f" ({silence.reason})" if silence.reason else ""
    until = timestamp(silence.until)
    return f"silence {silence.seq}: {group} of {silence.model} until {until}, by {silence.actor}{reason}"

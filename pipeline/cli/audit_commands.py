"""`mlops audit`: the audit trail of decisions, past deployments, and the proof that no entry was altered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelOption, open_registry, parse_timestamp
from pipeline.errors import IntegrityError, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from pipeline.registry import PastDeployment
    from pipeline.state import AuditEntry

__all__ = ["app"]

_HELP = "Show who decided what, when and why; show past deployments; verify the audit trail."
app = typer.Typer(help=_HELP)


@app.callback(invoke_without_command=True, help=_HELP)
def show_deployments_at(
    context: typer.Context,
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Show the versions deployed at this time (ISO 8601, UTC by default), and why."),
    ] = None,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Print the versions that were deployed at a time."""
    if context.invoked_subcommand is not None:
        return
    if at is None:
        raise UsageError("mlops audit: use `mlops audit list`, `mlops audit verify` or `mlops audit --at 2026-01-31`")
    deployments = open_registry().deployments_at(parse_timestamp(at, option="--at"), model)
    if as_json:
        typer.echo(canonical_json([deployment.as_dict() for deployment in deployments]), nl=False)
        return
    if not deployments:
        typer.echo(f"no version was deployed at {at}")
    for deployment in deployments:
        typer.echo(_deployment_line(deployment))


@app.command("list")
def list_(*, model: ModelOption = None, as_json: AsJson = False) -> None:
    """List decisions, oldest first."""
    entries = open_registry().history(model)
    if as_json:
        typer.echo(canonical_json([asdict(entry) for entry in entries]), nl=False)
        return
    for entry in entries:
        typer.echo(_decision_line(entry))
        if entry.generation is not None:
            versions = ", ".join(f"{stage}: version {deployed['version']}" for stage, deployed in entry.after.items())
            typer.echo(f"       generation {entry.generation}: {versions or 'no version deployed'}")


@app.command()
def verify(*, as_json: AsJson = False) -> None:
    """Verify the chain of hashes from the first entry to the last."""
    registry = open_registry()
    breaks = registry.verify_history()
    if as_json:
        typer.echo(canonical_json([{"seq": entry.seq, "reason": entry.reason} for entry in breaks]), nl=False)
    else:
        for entry in breaks:
            typer.echo(f"entry {entry.seq}: {entry.reason}")
        typer.echo(f"{pluralize(len(registry.history()), 'entry', 'entries')} read")
    if breaks:
        entries = pluralize(len(breaks), "entry", "entries")
        raise IntegrityError(f"the audit trail is broken at {entries}; restore a backup of the state database")


def _decision_line(entry: AuditEntry) -> str:
    version = f" version {entry.version}" if entry.version is not None else ""
    reason = f"  ({entry.reason})" if entry.reason else ""
    subject = f"{_subject(entry)}{version}{reason}"
    return f"{entry.seq:5}  {timestamp(entry.recorded_at)}  {entry.actor}: {entry.action} {subject}"


def _subject(entry: AuditEntry) -> str:
    """Return what the decision is about: a model, or a key with its name and role."""
    key = entry.after or entry.before
    return f"{key['id']} ({key['name']}, {key['role']})" if not entry.model and "id" in key else entry.model


def _deployment_line(deployment: PastDeployment) -> str:
    verdict = deployment.entry.evidence.get("verdict")
    gates = f"; verdict of its gates: {verdict}" if verdict else ""
    version = f"version {deployment.version} ({deployment.digest[:12]})"
    first_line = f"{deployment.model}  {deployment.stage}: {version}, generation {deployment.generation}"
    return f"{first_line}\n{_decision_line(deployment.entry)}{gates}"

"""Commands about the audit trail: who decided what, what served then, and that nobody changed it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.registry_options import AsJson, ModelOption, open_registry
from pipeline.errors import IntegrityError, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from pipeline.registry import PastDeployment
    from pipeline.state import AuditEntry

__all__ = ["app"]

app = typer.Typer(help="See who decided what, when and why, what served then, and prove that nobody changed it.")


@app.callback(invoke_without_command=True)
def show_deployments_at(
    context: typer.Context,
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Say what served at this moment (ISO 8601, UTC unless it says so), and why."),
    ] = None,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """See who decided what, when and why, what served then, and prove that nobody changed it."""
    if context.invoked_subcommand is not None:
        return
    if at is None:
        raise UsageError("mlops audit: say `mlops audit list`, `mlops audit verify` or `mlops audit --at 2026-01-31`")
    found = open_registry().deployments_at(_parse_timestamp(at), name)
    if as_json:
        typer.echo(canonical_json([one.as_dict() for one in found]), nl=False)
        return
    if not found:
        typer.echo(f"nothing served at {at}")
    for one in found:
        typer.echo(_deployment_line(one))


@app.command("list")
def list_(*, name: ModelOption = None, as_json: AsJson = False) -> None:
    """List decisions, oldest first."""
    entries = open_registry().history(name)
    if as_json:
        typer.echo(canonical_json([asdict(entry) for entry in entries]), nl=False)
        return
    for entry in entries:
        typer.echo(_decision_line(entry))
        if entry.generation is not None:
            served = ", ".join(f"{stage}: version {one['version']}" for stage, one in entry.after.items())
            typer.echo(f"       generation {entry.generation}: {served or 'nothing serves'}")


@app.command()
def verify(*, as_json: AsJson = False) -> None:
    """Follow the chain of hashes from the first entry to the last."""
    asked = open_registry()
    breaks = asked.verify_history()
    if as_json:
        typer.echo(canonical_json([{"seq": one.seq, "reason": one.reason} for one in breaks]), nl=False)
    else:
        for one in breaks:
            typer.echo(f"entry {one.seq}: {one.reason}")
        typer.echo(f"{pluralize(len(asked.history()), 'entry', 'entries')} read")
    if breaks:
        raise IntegrityError(
            f"the audit trail does not hold at {pluralize(len(breaks), 'place')}; restore a backup of the database"
        )


def _decision_line(entry: AuditEntry) -> str:
    version = f" version {entry.version}" if entry.version is not None else ""
    reason = f"  ({entry.reason})" if entry.reason else ""
    about = f"{_subject_of(entry)}{version}{reason}"
    return f"{entry.seq:5}  {timestamp(entry.recorded_at)}  {entry.actor}: {entry.action} {about}"


def _subject_of(entry: AuditEntry) -> str:
    """Return what was acted on: a model, or a key with its name and role."""
    key = entry.after or entry.before
    return f"{key['id']} ({key['name']}, {key['role']})" if not entry.model and "id" in key else entry.model


def _deployment_line(deployment: PastDeployment) -> str:
    verdict = deployment.entry.evidence.get("verdict")
    gates = f"; its gates said {verdict}" if verdict else ""
    return (
        f"{deployment.model}  {deployment.stage}: version {deployment.version} ({deployment.digest[:12]}), generation {deployment.generation}\n"
        f"{_decision_line(deployment.entry)}{gates}"
    )


def _parse_timestamp(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text!r}: accepted is ISO 8601, such as 2026-01-31T12:00") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000)

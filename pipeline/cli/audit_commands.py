"""`mlops audit`: the audit trail of decisions, past deployments, and the proof that no entry was altered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelFilter, open_registry, parse_timestamp
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
    model: ModelFilter = None,
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
def list_(*, model: ModelFilter = None, as_json: AsJson = False) -> None:
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
def verify(
    *,
    head: Annotated[str | None, typer.Option("--head", help="An earlier output of `mlops audit head`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain of hashes, and that deployments, versions, keys, silences and incidents follow from it."""
    from pipeline.state import AuditHead

    verification = open_registry().verify_history(head=None if head is None else AuditHead.parse(head))
    if as_json:
        body = {
            "head": str(verification.head),
            "breaks": [asdict(entry) for entry in verification.breaks],
            "undecided_changes": [asdict(change) for change in verification.undecided_changes],
        }
        typer.echo(canonical_json(body), nl=False)
    else:
        for problem in verification.problems:
            typer.echo(problem)
        typer.echo(f"{pluralize(verification.head.seq, 'entry', 'entries')} read; head {verification.head}")
    if verification.breaks:
        entries = pluralize(len(verification.breaks), "entry", "entries")
        raise IntegrityError(f"the audit trail is broken at {entries}; restore a backup of the state database")
    if verification.undecided_changes:
        rows = pluralize(len(verification.undecided_changes), "difference")
        raise IntegrityError(
            f"the state database has {rows} from the audit trail; `mlops doctor` restores deployments,"
            " a backup of the state database restores the rest"
        )


@app.command("head")
def show_head() -> None:
    """Print SEQ:HASH of the last entry; keep it outside of the database for `mlops audit verify --head`."""
    typer.echo(str(open_registry().audit_head()))


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

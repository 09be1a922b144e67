"""Commands about registered models: what there is, what serves, and who decided it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import IntegrityError, UsageError
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry
    from pipeline.state import Change, Version

__all__ = ["app", "audit", "promote", "rollback"]

app = typer.Typer(help="See registered models, their versions, stages and gates.", no_args_is_help=True)
audit = typer.Typer(help="See who decided what, when and why, and prove that nobody changed it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Name = Annotated[str | None, typer.Option("--name", help="The model; needed when there is more than one.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]
Expected = Annotated[
    int | None,
    typer.Option(
        "--expected-generation", help="Decide only if nobody decided since this generation.", show_default=False
    ),
]


def _registry() -> ModelRegistry:
    from pipeline.config.load import load_params
    from pipeline.registry import registry_of

    return registry_of(load_params().tracking)


def _only(registry: ModelRegistry, name: str | None) -> str:
    known = sorted({version.model for version in registry.list_models()})
    if name is not None:
        if name not in known:
            raise UsageError(f"--name {name}: no such model; registered: {', '.join(known) or 'none'}")
        return name
    if len(known) != 1:
        raise UsageError(f"--name is needed; registered models: {', '.join(known) or 'none; run `dvc repro`'}")
    return known[0]


def promote(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    *,
    stage: Annotated[str, typer.Option("--stage", help="None, Staging, Production or Archived.")] = "Production",
    reason: Reason = "",
    expected: Expected = None,
    force: Annotated[bool, typer.Option("--force", help="Past its gates; needs --reason, and is audited.")] = False,
    name: Name = None,
    as_json: AsJson = False,
) -> None:
    """Move a version to a stage, in one transaction that nobody can half-make."""
    registry = _registry()
    change = registry.promote_model(
        _only(registry, name), version, stage, reason=reason, expected_generation=expected, force=force
    )
    _tell(change, as_json=as_json)


def rollback(
    *,
    to: Annotated[int | None, typer.Option("--to", help="Version that served before.", show_default=False)] = None,
    reason: Reason = "",
    expected: Expected = None,
    name: Name = None,
    as_json: AsJson = False,
) -> None:
    """Put the version back into Production that served there before."""
    registry = _registry()
    change = registry.rollback_model(_only(registry, name), to=to, reason=reason, expected_generation=expected)
    _tell(change, as_json=as_json)


def _tell(change: Change, *, as_json: bool) -> None:
    if as_json:
        told = {
            "model": change.after.model,
            "generation": change.after.generation,
            "before": change.before.as_dict(),
            "after": change.after.as_dict(),
            "audit": change.entry.seq,
        }
        typer.echo(canonical_json(told), nl=False)
        return
    served = ", ".join(f"{stage} is version {number}" for stage, number in sorted(change.after.versions.items()))
    typer.echo(f"{change.after.model}: {served or 'nothing serves'} (generation {change.after.generation})")


@app.command("list")
def list_(*, name: Name = None, as_json: AsJson = False) -> None:
    """List every version with its stage and what its gates said."""
    versions = _registry().list_models(name)
    if as_json:
        typer.echo(canonical_json([version.as_dict() for version in versions]), nl=False)
        return
    if not versions:
        typer.echo("no version is registered; run `dvc repro`")
    for version in versions:
        typer.echo(_line(version))


def _line(version: Version) -> str:
    gates = version.tags.get("gates")
    verdict = gates["verdict"] if gates is not None else "not judged"
    kind = version.tags.get("model", "")
    return (
        f"{version.model}  version {version.version}  {version.semver}  {version.stage:10}  gates: {verdict:10}"
        f"  {kind}  {version.digest[:12]}  {_moment(version.registered_at)}"
    )


@app.command()
def show(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    *,
    name: Name = None,
    as_json: AsJson = False,
) -> None:
    """Show one version: tags, gates, what it was made from."""
    registry = _registry()
    model = _only(registry, name)
    package = registry.load_model(model, version=version)
    found = next(one for one in registry.list_models(model) if one.version == version)
    told: dict[str, Any] = {**found.as_dict(), "metrics": package.metrics, "lineage": package.lineage}
    if as_json:
        typer.echo(canonical_json(told), nl=False)
        return
    typer.echo(_line(found))
    typer.echo("")
    typer.echo(package.card)


@audit.command("list")
def list_audit(
    *,
    name: Name = None,
    at: Annotated[
        str | None, typer.Option("--at", help="What served at this moment (ISO 8601, UTC unless it says so), and why.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List decisions, oldest first; with --at, up to a moment."""
    from dataclasses import asdict

    entries = _registry().history(name, until=None if at is None else _parsed(at))
    if as_json:
        typer.echo(canonical_json([asdict(entry) for entry in entries]), nl=False)
        return
    for entry in entries:
        served = ", ".join(
            f"{stage}: version {one['version']}" for stage, one in entry.after.items() if isinstance(one, dict)
        )
        version = f" version {entry.version}" if entry.version is not None else ""
        reason = f"  ({entry.reason})" if entry.reason else ""
        typer.echo(f"{entry.seq:5}  {_moment(entry.at)}  {entry.actor}: {entry.action} {entry.model}{version}{reason}")
        if entry.generation is not None:
            typer.echo(f"       generation {entry.generation}: {served or 'nothing serves'}")


@audit.command("verify")
def verify_audit(*, as_json: AsJson = False) -> None:
    """Follow the chain of hashes from the first entry to the last."""
    registry = _registry()
    breaks = registry.verify_history()
    if as_json:
        typer.echo(canonical_json([{"seq": one.seq, "reason": one.reason} for one in breaks]), nl=False)
    else:
        for one in breaks:
            typer.echo(f"entry {one.seq}: {one.reason}")
        typer.echo(f"{len(registry.history())} entries read")
    if breaks:
        raise IntegrityError(f"the audit trail does not hold at {len(breaks)} places; restore a backup of the database")


def _parsed(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text!r}: accepted is ISO 8601, such as 2026-01-31T12:00") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")

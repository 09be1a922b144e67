"""Commands that decide what serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.registry_options import AsJson, ModelOption, open_registry, resolve_model
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.state import DeploymentChange

__all__ = ["deploy", "promote", "rollback"]

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]
ExpectedGeneration = Annotated[
    int | None,
    typer.Option(
        "--expected-generation", help="Decide only if nobody decided since this generation.", show_default=False
    ),
]


def promote(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    *,
    stage: Annotated[str, typer.Option("--stage", help="None, Staging, Production or Archived.")] = "Production",
    reason: ReasonOption = "",
    expected_generation: ExpectedGeneration = None,
    force: Annotated[bool, typer.Option("--force", help="Past its gates; needs --reason, and is audited.")] = False,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Move a version to a stage, in one transaction that nobody can half-make."""
    asked = open_registry()
    change = asked.promote_model(
        resolve_model(asked, name), version, stage, reason=reason, expected_generation=expected_generation, force=force
    )
    _print_change(change, as_json=as_json)


def rollback(
    *,
    to: Annotated[int | None, typer.Option("--to", help="Version that served before.", show_default=False)] = None,
    reason: ReasonOption = "",
    expected_generation: ExpectedGeneration = None,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Put the version back into Production that served there before."""
    asked = open_registry()
    change = asked.rollback_model(
        resolve_model(asked, name), to=to, reason=reason, expected_generation=expected_generation
    )
    _print_change(change, as_json=as_json)


def deploy(
    *,
    stage: Annotated[str, typer.Option("--stage", help="staging or production.")],
    url: Annotated[str, typer.Option("--url", help="Address of the servers of that stage; MLOPS_API_KEY has the key.")],
    version: Annotated[
        int | None,
        typer.Option(
            "--version", help="When left out: the newest; for production, the one in Staging.", show_default=False
        ),
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="How many servers stand behind the address.")] = 3,
    wait_s: Annotated[float, typer.Option("--wait-s", min=0, help="How long they may take to serve it.")] = 60.0,
    reason: ReasonOption = "",
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Bring a version to a stage, wait until it serves, test it there, and take it back when it fails."""
    import os

    from pipeline.lifecycle.rollout import ServingEndpoint
    from pipeline.lifecycle.rollout import deploy as bring

    asked = open_registry()
    address = ServingEndpoint(url, os.environ.get("MLOPS_API_KEY") or None, 3 * replicas)
    done = bring(
        asked, resolve_model(asked, name), stage, address=address, version=version, wait_s=wait_s, reason=reason
    )
    if as_json:
        typer.echo(canonical_json(done.as_dict()), nl=False)
        return
    if done.stage != stage:
        typer.echo(f"{done.model}: version {done.version} is in {done.stage} already; there is nothing to try")
        return
    how = "now serves" if done.is_new else "serves already"
    typer.echo(
        f"{done.model}: version {done.version} {how} in {done.stage} at {url}"
        f" (generation {done.generation}, {done.n_tests} tests passed)"
    )


def _print_change(change: DeploymentChange, *, as_json: bool) -> None:
    if as_json:
        told = {
            "model": change.after.model,
            "generation": change.after.generation,
            "before": change.before.as_dict(),
            "after": change.after.as_dict(),
            "audit": change.audit_entry.seq,
        }
        typer.echo(canonical_json(told), nl=False)
        return
    served = ", ".join(f"{stage} is version {number}" for stage, number in sorted(change.after.versions.items()))
    typer.echo(f"{change.after.model}: {served or 'nothing serves'} (generation {change.after.generation})")

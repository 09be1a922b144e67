"""`mlops promote`, `rollback` and `deploy`: decide which version is in Production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelOption, ReasonOption, open_registry, resolve_model
from pipeline.errors import GateRefused
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.lifecycle.rollout import Rollout
    from pipeline.state import DeploymentChange

__all__ = ["deploy", "promote", "rollback"]

ExpectedGeneration = Annotated[
    int | None,
    typer.Option(
        "--expected-generation", help="Refuse if the deployment changed after this generation.", show_default=False
    ),
]


def promote(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    *,
    stage: Annotated[str, typer.Option("--stage", help="None, Staging, Production or Archived.")] = "Production",
    reason: ReasonOption = "",
    expected_generation: ExpectedGeneration = None,
    force: Annotated[
        bool, typer.Option("--force", help="Override failed gates; needs --reason, and is audited.")
    ] = False,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Move a version to a stage, atomically."""
    registry = open_registry()
    try:
        change = registry.promote_model(
            resolve_model(registry, model),
            version,
            stage,
            reason=reason,
            expected_generation=expected_generation,
            force=force,
        )
    except GateRefused as error:
        raise GateRefused(f"{error}: `mlops promote {version} --stage {stage} --force --reason ...`") from error
    _print_change(change, as_json=as_json)


def rollback(
    *,
    to: Annotated[
        int | None, typer.Option("--to", help="An earlier Production version; the last by default.", show_default=False)
    ] = None,
    reason: ReasonOption = "",
    expected_generation: ExpectedGeneration = None,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Return Production to an earlier version."""
    registry = open_registry()
    change = registry.rollback_model(
        resolve_model(registry, model), to=to, reason=reason, expected_generation=expected_generation
    )
    _print_change(change, as_json=as_json)


def deploy(
    *,
    stage: Annotated[str, typer.Option("--stage", help="staging or production.")],
    url: Annotated[str, typer.Option("--url", help="URL of the stage's servers; the key is in MLOPS_API_KEY.")],
    version: Annotated[
        int | None,
        typer.Option(
            "--version",
            help="By default the newest; for production, the one in Staging.",
            show_default=False,
        ),
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Number of servers behind the URL.")] = 3,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0, help="Seconds that the servers have to load the version.")
    ] = 60.0,
    reason: ReasonOption = "",
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Promote a version, wait until its servers load it, test it, and undo the promotion on failure."""
    import os

    from pipeline.lifecycle import rollout

    registry = open_registry()
    endpoint = rollout.ServingEndpoint(url, os.environ.get("MLOPS_API_KEY") or None, 3 * replicas)
    report = rollout.roll_out_version(
        registry,
        resolve_model(registry, model),
        stage,
        endpoint=endpoint,
        version=version,
        wait_s=wait_s,
        reason=reason,
    )
    _print_rollout(report, stage=stage, url=url, as_json=as_json)


def _print_rollout(report: Rollout, *, stage: str, url: str, as_json: bool) -> None:
    if as_json:
        typer.echo(canonical_json(report.as_dict()), nl=False)
        return
    deployed = f"{report.model}: version {report.version}"
    if report.stage != stage:
        typer.echo(f"{deployed} is already in {report.stage}; no deployment needed")
        return
    status = "is now deployed" if report.is_new else "was already deployed"
    tests = f"(generation {report.generation}, {report.n_tests} tests passed)"
    typer.echo(f"{deployed} {status} in {report.stage} at {url} {tests}")


def _print_change(change: DeploymentChange, *, as_json: bool) -> None:
    if as_json:
        body = {
            "model": change.after.model,
            "generation": change.after.generation,
            "before": change.before.as_dict(),
            "after": change.after.as_dict(),
            "audit": change.audit_entry.seq,
            "audit_head": str(change.audit_entry.head),
        }
        typer.echo(canonical_json(body), nl=False)
        return
    stages = ", ".join(f"{stage} is version {version}" for stage, version in sorted(change.after.versions.items()))
    typer.echo(f"{change.after.model}: {stages or 'no version deployed'} (generation {change.after.generation})")
    typer.echo(f"audit head {change.audit_entry.head}")

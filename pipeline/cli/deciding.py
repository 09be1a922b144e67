"""Commands that decide what serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.registered import AsJson, Name, only, registry
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.state import Change

__all__ = ["promote", "rollback"]

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]
Expected = Annotated[
    int | None,
    typer.Option(
        "--expected-generation", help="Decide only if nobody decided since this generation.", show_default=False
    ),
]


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
    asked = registry()
    change = asked.promote_model(
        only(asked, name), version, stage, reason=reason, expected_generation=expected, force=force
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
    asked = registry()
    change = asked.rollback_model(only(asked, name), to=to, reason=reason, expected_generation=expected)
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

"""`mlops profile`: profile the CPU time of a stage or of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["profile"]


def profile(
    what: Annotated[str, typer.Argument(help="A stage (train, evaluate, ...), or serve.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="SVG file; reports/profile-WHAT.svg by default.", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="Duration of the server's load.")] = 10.0,
) -> None:
    """Write a flame graph of a stage, or of this project's server under load."""
    from pipeline.maintenance.cpu_profile import profile_server, profile_stage

    target = output if output is not None else Path(f"reports/profile-{what}.svg")
    target.parent.mkdir(parents=True, exist_ok=True)
    if what == "serve":
        rate = profile_server(target, seconds)
        typer.echo(f"{target}: server at {rate:,.0f} predictions a second, logged under the subject mlops-profile")
        return
    profile_stage(what, target)
    typer.echo(f"{target}: stage {what}")

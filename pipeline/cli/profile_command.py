"""The command that shows where the processor's time goes."""

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
        typer.Option("--output", "-o", help="An SVG file; reports/profile-WHAT.svg when left out.", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long the server is asked.")] = 10.0,
) -> None:
    """Write a flame graph of a stage, or of the server of this project under a load of its own."""
    from pipeline.maintenance.cpu_profile import profile_server, profile_stage

    target = output if output is not None else Path(f"reports/profile-{what}.svg")
    target.parent.mkdir(parents=True, exist_ok=True)
    if what == "serve":
        rate = profile_server(target, seconds)
        typer.echo(f"{target}: the server under {rate:,.0f} predictions a second, each logged as mlops-profile")
        return
    profile_stage(what, target)
    typer.echo(f"{target}: stage {what}")

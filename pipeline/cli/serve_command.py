"""The command that serves a model over HTTP."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from pipeline.errors import UsageError

__all__ = ["serve"]


def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; serving.host when left out.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one; serving.port when left out."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder with state database and packages; found from here when left out."),
    ] = None,
    model_name: Annotated[
        str | None, typer.Option("--model-name", help="Name in the registry; that of the settings when left out.")
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="Production or Staging.")] = "Production",
    authentication: Annotated[
        str | None, typer.Option("--authentication", help="none or required; as in the settings when left out.")
    ] = None,
) -> None:
    """Serve the model that is in Production over HTTP, until it is stopped."""
    from pipeline.serving.server_startup import AUTHENTICATION_MODES, STAGES, start_server

    if stage not in STAGES:
        raise UsageError(f"--stage {stage!r}: accepted is one of {', '.join(STAGES)}")
    if authentication not in (None, *AUTHENTICATION_MODES):
        raise UsageError(f"--authentication {authentication!r}: accepted is one of {', '.join(AUTHENTICATION_MODES)}")
    start_server(state=state, model=model_name, stage=stage, host=host, port=port, authentication=authentication)

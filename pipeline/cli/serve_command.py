"""`mlops serve`: the HTTP server of a registered model."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import ModelOption  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["serve"]


def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; serving.host by default.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port; 0 picks a free one; serving.port by default."),
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            "--grpc-port", min=0, max=65535, help="Port of gRPC; 0 picks a free one; serving.grpc_port by default."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder of the state database and packages; located from here by default."),
    ] = None,
    model: ModelOption = None,
    stage: Annotated[str, typer.Option("--stage", help="Production or Staging.")] = "Production",
    authentication: Annotated[
        str | None, typer.Option("--authentication", help="none or required; serving.authentication by default.")
    ] = None,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Run the dashboard beside the API.")] = False,
) -> None:
    """Serve the version in Production over HTTP until interrupted."""
    from pipeline.serving.server_startup import AUTHENTICATION_MODES, SERVED_STAGES, start_server

    _require_member("--stage", stage, SERVED_STAGES)
    _require_member("--authentication", authentication, AUTHENTICATION_MODES)
    start_server(
        state=state,
        model=model,
        stage=stage,
        host=host,
        port=port,
        grpc_port=grpc_port,
        authentication=authentication,
        with_dashboard=dashboard,
    )


def _require_member(option: str, value: str | None, members: Collection[str]) -> None:
    if value is not None and value not in members:
        raise UsageError(f"{option} {value!r}: expected one of {', '.join(members)}")

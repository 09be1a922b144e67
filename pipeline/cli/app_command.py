"""`mlops app`: the dashboard of the project."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["dashboard"]


def dashboard(
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; 127.0.0.1 by default.", show_default=False)
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port; 8501 by default.")] = None,
) -> None:
    """Serve the dashboard until interrupted."""
    from pipeline.serving.dashboard_process import run_dashboard

    run_dashboard(host, port)

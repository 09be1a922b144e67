"""Start the serving process from settings and the options of the command line."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.errors import DependencyUnavailable
from pipeline.production_status import monitor_period_us
from pipeline.project import paths
from pipeline.project.root import find_state_root
from pipeline.serving.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving_config import ServingConfig
    from pipeline.serving.http.application import Application
    from pipeline.serving.http.service import SideServer

__all__ = ["AUTHENTICATION_MODES", "SERVED_STAGES", "start_server"]

AUTHENTICATION_MODES = ("none", "required")
SERVED_STAGES = ("Production", "Staging")


def start_server(
    *,
    state: Path | None = None,
    model: str | None = None,
    stage: str = "Production",
    host: str | None = None,
    port: int | None = None,
    grpc_port: int | None = None,
    authentication: str | None = None,
    with_dashboard: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, with the dashboard beside the API or alone.

    The settings replace each option that is None.

    Raises
    ------
    ConfigError
        When a setting is refused.
    NotAllowed
        When the address is reachable from other hosts and no credentials are required.
    Conflict, DependencyUnavailable
        When the state database has another schema version; when it, an address or an extra is unavailable.
    """
    from pipeline.serving.http.service import serve_http

    started_at_s = time.monotonic() - _seconds_since_start()
    root = find_state_root(state)
    settings = _load_settings(root)
    options: dict[str, Any] = {"host": host, "port": port, "grpc_port": grpc_port, "authentication": authentication}
    config: ServingConfig = settings.serving.model_copy(
        update={name: value for name, value in options.items() if value is not None}
    )
    gc.set_threshold(50_000, 20, 50)  # thousands of short-lived rows without reference cycles
    engine = Engine(root, model if model is not None else settings.name, config.engine, config.log, stage=stage)
    serve_http(
        engine,
        config,
        monitor_period_us=monitor_period_us(settings.monitoring),
        started_at_s=started_at_s,
        dashboard_root=root if with_dashboard else None,
        create_side_server=None if config.grpc_port is None else _grpc_server_factory(engine, config),
    )


def _grpc_server_factory(engine: Engine, config: ServingConfig) -> Callable[[Application], SideServer]:
    """Return what creates the server of gRPC, whose packages are an extra."""
    try:
        from pipeline.serving.grpc_inference.grpc_server import GrpcServer
    except ImportError as error:
        raise DependencyUnavailable(
            "gRPC needs its packages: pip install 'declarative-mlops[grpc]', or leave serving.grpc_port null"
        ) from error
    return lambda application: GrpcServer(engine, application, config)


def _load_settings(root: Path) -> Any:
    """Return the settings of the project, otherwise those of the current folder."""
    path = root / paths.PARAMS
    return load_params(path if path.exists() else paths.PARAMS)


def _seconds_since_start() -> float:
    """Return the age of this process from /proc; 0 where /proc is absent."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK"))

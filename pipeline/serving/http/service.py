"""Assemble engine, endpoints and HTTP server, and run them until a signal stops them."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import uvloop

from pipeline.errors import MlopsError
from pipeline.serving.dashboard_process import DashboardProcess
from pipeline.serving.http import access_log
from pipeline.serving.http.api_key_verifier import ApiKeyVerifier
from pipeline.serving.http.application import Application, ServerStatus, TrustedHosts
from pipeline.serving.http.authentication import Authenticator
from pipeline.serving.http.endpoints import Endpoints
from pipeline.serving.http.golden_replay import replay_golden_rows
from pipeline.serving.http.limits import ConcurrencyLimiter, RateLimiter
from pipeline.serving.http.loopback import check_bind_address, is_loopback
from pipeline.serving.http.monitor_metrics import MonitorMetrics
from pipeline.serving.http.oidc import OidcVerifier
from pipeline.serving.http.production_reader import ProductionReader
from pipeline.serving.http.protocol import Timeouts
from pipeline.serving.http.request_tracing import CommitTracer, TracedApplication, TracedRequestMetrics, add_trace_ids
from pipeline.serving.http.router import Router
from pipeline.serving.http.server import HttpServer, bind_socket
from pipeline.serving.http.server_metrics import RequestMetrics
from pipeline.tracing import open_tracing

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.config.groups.serving_config import OidcConfig, ServingConfig
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.authentication import CredentialVerifier
    from pipeline.serving.prediction_types import Readiness
    from pipeline.tracing import Tracing

__all__ = ["HttpService", "SideServer", "serve_http"]

_BYTES_PER_MB = 1_000_000
_SERVICE_NAME = "mlops-api"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class SideServer(Protocol):
    """A server of another protocol, in the event loop of the HTTP server."""

    async def start(self) -> str:
        """Listen, and return the address."""

    async def stop(self, grace_s: float) -> None:
        """Accept no further calls, and cancel those that have not ended after `grace_s` seconds."""


@dataclass(slots=True)
class HttpService:
    """A server that is assembled and not started."""

    engine: Engine
    application: Application
    server: HttpServer
    api_keys: ApiKeyVerifier
    monitor_metrics: MonitorMetrics
    listening_socket: socket.socket
    logger: Any
    started_at_s: float
    side_server: SideServer | None = None
    dashboard: DashboardProcess | None = None

    async def run(self) -> None:
        """Load the model, handle requests until a signal, then finish the requests that have started."""
        self.engine.on_readiness_change = self._log_readiness
        await self.engine.start()
        self.api_keys.state = self.monitor_metrics.state = self.engine.state
        await asyncio.to_thread(self.api_keys.reload)
        reloading_keys = asyncio.ensure_future(self.api_keys.reload_periodically())
        addresses: dict[str, str] = {}
        try:
            if self.side_server is not None:
                addresses["grpc_address"] = await self.side_server.start()
                self.server.on_shutdown = self.side_server.stop
            host, port = self.listening_socket.getsockname()[:2]
            url_host = f"[{host}]" if ":" in host else host
            address = f"http://{url_host}:{port}"
            readiness = self.engine.ready()
            self.logger.info(
                "listening",
                address=address,
                **addresses,
                ready=readiness.is_ready,
                reason=readiness.detail or readiness.reason,
                seconds=round(time.monotonic() - self.started_at_s, 3),
                pid=os.getpid(),
            )
            if self.dashboard is not None:
                await asyncio.to_thread(self.dashboard.start, address)
            await self.server.serve(sockets=[self.listening_socket])
        finally:
            if self.dashboard is not None:
                await asyncio.to_thread(self.dashboard.stop)
            reloading_keys.cancel()
            if self.side_server is not None:
                await self.side_server.stop(0)
            with suppress(MlopsError):
                await asyncio.to_thread(self.api_keys.save_last_used)
            await self.engine.close()
            self.logger.info("stopped")

    def _log_readiness(self, readiness: Readiness) -> None:
        if readiness.is_ready:
            self.logger.info("ready")
        else:
            self.logger.warning("not ready", reason=readiness.reason, detail=readiness.detail)


def serve_http(
    engine: Engine,
    config: ServingConfig,
    *,
    monitor_period_us: int,
    started_at_s: float,
    dashboard_root: Path | None = None,
    environment: Mapping[str, str] | None = None,
    create_side_server: Callable[[Application], SideServer] | None = None,
) -> None:
    """Serve HTTP at `config.host` and `config.port` until SIGTERM or SIGINT.

    Parameters
    ----------
    engine : Engine
        Not started yet.
    config : ServingConfig
    monitor_period_us : int
        Longest time between two runs of the monitor, for the status of production.
    started_at_s : float
        Monotonic time at which the process started, for the duration in the log.
    dashboard_root : Path, optional
        Project whose dashboard runs beside the server; without a dashboard when None.
    environment : mapping, optional
        Environment variables; those of the process when None.
    create_side_server : callable, optional
        Returns a server of another protocol that shares credentials, limits, metrics and log of the application.

    Raises
    ------
    NotAllowed
        When other machines can reach the server and credentials are not required.
    DependencyUnavailable
        When the address is not available, or tracing is enabled and its packages are not installed.
    ConfigError
        When a variable of OpenTelemetry has an invalid value.
    """
    check_bind_address(config.host, is_protected=config.authentication == "required")
    variables = os.environ if environment is None else environment
    tracing = open_tracing(variables, _SERVICE_NAME, sample_rate=config.trace_sample_rate)
    try:
        service = _assemble_service(
            engine,
            config,
            variables,
            tracing=tracing,
            monitor_period_us=monitor_period_us,
            started_at_s=started_at_s,
            dashboard_root=dashboard_root,
            create_side_server=create_side_server,
        )
        uvloop.run(service.run())
    finally:
        if tracing is not None:
            tracing.close()


def _assemble_service(
    engine: Engine,
    config: ServingConfig,
    variables: Mapping[str, str],
    *,
    tracing: Tracing | None,
    monitor_period_us: int,
    started_at_s: float,
    dashboard_root: Path | None,
    create_side_server: Callable[[Application], SideServer] | None,
) -> HttpService:
    logger = access_log.configure_logging() if tracing is None else access_log.configure_logging(add_trace_ids)
    engine.verify = replay_golden_rows
    api_keys = ApiKeyVerifier()
    monitor_metrics = MonitorMetrics(engine.model)
    dashboard = None if dashboard_root is None else DashboardProcess(dashboard_root, config.host, logger)
    application = _create_application(
        engine,
        config,
        _create_authenticator(api_keys, config, variables),
        logger=logger,
        monitor_metrics=monitor_metrics,
        production=ProductionReader(engine, monitor_period_us),
        request_metrics=RequestMetrics() if tracing is None else TracedRequestMetrics(),
        find_dashboard=(lambda _: config.dashboard_url) if dashboard is None else dashboard.address,
    )
    listening_socket = bind_socket(config.host, config.port)
    traced = None if tracing is None else _trace_requests(engine, application, tracing)
    return HttpService(
        engine,
        application,
        _create_server(application, config, traced),
        api_keys,
        monitor_metrics,
        listening_socket,
        logger,
        started_at_s,
        None if create_side_server is None else create_side_server(application),
        dashboard,
    )


def _trace_requests(engine: Engine, application: Application, tracing: Tracing) -> TracedApplication:
    engine.observer = CommitTracer()
    return TracedApplication(application, tracing)


def _create_server(application: Application, config: ServingConfig, traced: TracedApplication | None) -> HttpServer:
    limits = config.limits
    timeouts = Timeouts(limits.header_timeout_s, limits.body_timeout_s, limits.response_timeout_s)
    return HttpServer(application, timeouts=timeouts, keep_alive_s=limits.keep_alive_timeout_s, asgi_app=traced)


def _create_application(
    engine: Engine,
    config: ServingConfig,
    authenticator: Authenticator,
    *,
    logger: Any,
    monitor_metrics: MonitorMetrics,
    production: ProductionReader,
    request_metrics: RequestMetrics,
    find_dashboard: Callable[[str], str | None],
) -> Application:
    limits = config.limits
    limiter = ConcurrencyLimiter(limits.max_concurrent_requests, limits.max_inflight_mb * _BYTES_PER_MB)
    server_status = ServerStatus()
    endpoints = Endpoints(
        engine,
        request_metrics,
        limiter,
        max_rows=config.engine.max_rows,
        server_status=server_status,
        has_docs_page=is_loopback(config.host),
        monitor_metrics=monitor_metrics,
        production=production,
        find_dashboard=find_dashboard,
    )
    return Application(
        Router(endpoints.routes()),
        authenticator,
        _create_trusted_hosts(config),
        concurrency_limiter=limiter,
        request_metrics=request_metrics,
        access_log=access_log.AccessLog(logger, logs_all=config.log_requests == "all"),
        max_body_bytes=limits.max_body_mb * _BYTES_PER_MB,
        max_connections=limits.max_connections,
        server_status=server_status,
    )


def _create_authenticator(
    api_keys: ApiKeyVerifier, config: ServingConfig, environment: Mapping[str, str]
) -> Authenticator:
    per_s, failures_per_min = config.limits.max_requests_per_s, config.limits.max_auth_failures_per_min
    verifiers: list[CredentialVerifier] = [api_keys]
    issuer = environment.get(config.oidc.issuer_env)
    if issuer:
        verifiers.append(_create_oidc_verifier(issuer, config.oidc))
    return Authenticator(
        config.authentication == "required",
        tuple(verifiers),
        rate_limiter=RateLimiter(per_s, max(1.0, 2 * per_s)) if per_s else None,
        failure_limiter=RateLimiter(failures_per_min / 60, float(failures_per_min)),
    )


def _create_oidc_verifier(issuer: str, config: OidcConfig) -> OidcVerifier:
    return OidcVerifier(issuer, config.audience, tuple(config.algorithms), config.roles_claim, config.leeway_s)


def _create_trusted_hosts(config: ServingConfig) -> TrustedHosts:
    if not config.allowed_hosts and config.authentication == "required":
        return TrustedHosts(frozenset())
    bound_host = f"[{config.host}]" if ":" in config.host else config.host
    names = (*config.allowed_hosts, *_LOCAL_HOSTS, bound_host)
    return TrustedHosts(frozenset(name.lower().encode() for name in names))

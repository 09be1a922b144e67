"""Put the engine, the API and the server together, and run them until somebody says stop."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from pipeline.errors import MlopsError
from pipeline.serving.http import logs
from pipeline.serving.http.access import Access
from pipeline.serving.http.api import Api
from pipeline.serving.http.application import Application, Hosts
from pipeline.serving.http.connection import Deadlines
from pipeline.serving.http.keys import ApiKeys
from pipeline.serving.http.limits import Admission, Buckets
from pipeline.serving.http.metrics import Metrics
from pipeline.serving.http.oidc import OidcTokens
from pipeline.serving.http.operations import Routes
from pipeline.serving.http.rehearsal import rehearse
from pipeline.serving.http.server import Server, check_address, is_loopback, listen
from pipeline.serving.http.traced import CommitWatch, TracedApplication, TracedMetrics, with_trace
from pipeline.serving.http.watched import Watched
from pipeline.tracing import open_tracing

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from pipeline.config.groups.http import OidcConfig
    from pipeline.config.groups.live import ServingConfig
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.access import Verifier

__all__ = ["Service", "serve"]

_MEGA = 1_000_000
_SERVICE = "mlops-api"
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


@dataclass(slots=True)
class Service:
    """One server that is about to run."""

    engine: Engine
    application: Application
    server: Server
    keys: ApiKeys
    listening: socket.socket
    logger: Any
    began: float

    async def run(self) -> None:
        """Load the model, answer until a signal comes, then finish what has begun."""
        await self.engine.start()
        self.keys.state = self.engine.state
        await asyncio.to_thread(self.keys.read)
        following = asyncio.ensure_future(self.keys.follow())
        try:
            host, port = self.listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            state = self.engine.ready()
            self.logger.info(
                "listening",
                address=f"http://{shown}:{port}",
                ready=state.is_ready,
                reason=state.reason,
                seconds=round(time.monotonic() - self.began, 3),
                pid=os.getpid(),
            )
            await self.server.serve(sockets=[self.listening])
        finally:
            following.cancel()
            with suppress(MlopsError):
                await asyncio.to_thread(self.keys.write)
            await self.engine.close()
            self.logger.info("stopped")


def serve(engine: Engine, config: ServingConfig, *, began: float, environment: Mapping[str, str] | None = None) -> None:
    """Answer at `config.host` and `config.port` until SIGTERM or SIGINT.

    Parameters
    ----------
    engine : Engine
        Not started yet.
    config : ServingConfig
    began : float
        Monotonic moment at which the process began, for the line that says how long the start took.
    environment : mapping, optional
        Where the issuer's address is looked up; that of the process when None.

    Raises
    ------
    NotAllowed
        When others could reach a server that asks for no credentials.
    DependencyUnavailable
        When the address cannot be had; or the environment asks for traces, and what sends them is not installed.
    ConfigError
        When a variable of OpenTelemetry is not understood.
    """
    is_protected = config.authentication == "required"
    check_address(config.host, is_protected=is_protected)
    known = os.environ if environment is None else environment
    tracing = open_tracing(known, _SERVICE, share=config.traced_share)
    logger = logs.configure() if tracing is None else logs.configure(with_trace)
    engine.prove = rehearse
    keys = ApiKeys()
    application = _application(
        engine, keys, config, logger, known, metrics=Metrics() if tracing is None else TracedMetrics()
    )
    limits = config.limits
    deadlines = Deadlines(limits.head_s, limits.body_s, limits.answer_s)
    listening = listen(config.host, config.port)
    front = None
    if tracing is not None:
        engine.watch = CommitWatch()
        front = TracedApplication(application, tracing)
    server = Server(application, deadlines=deadlines, idle_s=limits.idle_s, front=front)
    service = Service(engine, application, server, keys, listening, logger, began)
    try:
        uvloop.run(service.run())
    finally:
        if tracing is not None:
            tracing.close()


def _application(
    engine: Engine,
    keys: ApiKeys,
    config: ServingConfig,
    logger: Any,
    environment: Mapping[str, str],
    *,
    metrics: Metrics,
) -> Application:
    limits = config.limits
    admission = Admission(limits.concurrent, limits.work_mb * _MEGA)
    made: list[Application] = []
    api = Api(
        engine,
        metrics,
        admission,
        config.engine.max_rows,
        gauges=lambda: {
            "http_connections": float(len(made[0].connections)),
            "http_draining": float(made[0].is_draining),
        },
        is_draining=lambda: made[0].is_draining,
        has_page=is_loopback(config.host),
        watched=Watched(engine.model),
    )
    application = Application(
        Routes(api.operations()),
        _access(keys, config, environment),
        _hosts(config),
        admission,
        metrics,
        logs.RequestLog(logger, every=config.log_requests == "all"),
        max_body=limits.body_mb * _MEGA,
        max_connections=limits.connections,
    )
    made.append(application)
    return application


def _access(keys: ApiKeys, config: ServingConfig, environment: Mapping[str, str]) -> Access:
    limits = config.limits
    per_s = limits.requests_per_s
    requests = Buckets(per_s, max(1.0, 2 * per_s)) if per_s else None
    per_min = limits.failures_per_min
    verifiers: list[Verifier] = [keys]
    issuer = environment.get(config.oidc.issuer_env)
    if issuer:
        verifiers.append(_tokens(issuer, config.oidc))
    is_required = config.authentication == "required"
    return Access(is_required, tuple(verifiers), requests, Buckets(per_min / 60, float(per_min)))


def _tokens(issuer: str, config: OidcConfig) -> OidcTokens:
    return OidcTokens(issuer, config.audience, tuple(config.algorithms), config.roles_claim, config.leeway_s)


def _hosts(config: ServingConfig) -> Hosts:
    if not config.hosts and config.authentication == "required":
        return Hosts(frozenset())
    own = f"[{config.host}]" if ":" in config.host else config.host
    return Hosts(frozenset(name.lower().encode() for name in (*config.hosts, *_LOCAL, own)))

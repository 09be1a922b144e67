"""Run the server of gRPC in the event loop of the HTTP server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from pipeline.errors import DependencyUnavailable
from pipeline.serving.grpc_inference.inference_service import InferenceService

if TYPE_CHECKING:
    from pipeline.config.groups.serving_config import ServingConfig
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import Application

__all__ = ["GrpcServer"]

_BYTES_PER_MB = 1_000_000


@dataclass(slots=True)
class GrpcServer:
    """A server of the Open Inference Protocol at `config.host` and `config.grpc_port`.

    Parameters
    ----------
    engine : Engine
    application : Application
        Its authenticator, limits, metrics and access log count for both protocols.
    config : ServingConfig
    """

    engine: Engine
    application: Application
    config: ServingConfig
    _server: Any = field(default=None)

    async def start(self) -> str:
        """Listen, and return the address; call it in the event loop that serves.

        Raises
        ------
        DependencyUnavailable
            When the address is not available.
        """
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        address = f"{host}:{self.config.grpc_port}"
        self._server = grpc.aio.server(options=self._options())
        service = InferenceService(self.engine, self.application, self.config.engine.max_rows)
        self._server.add_generic_rpc_handlers((service.handlers(),))
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise DependencyUnavailable(
                f"{address}: the server cannot listen for gRPC; stop the program that does, or choose another"
                " --grpc-port"
            ) from error
        await self._server.start()
        return f"{host}:{port}"

    async def stop(self, grace_s: float) -> None:
        """Accept no further calls, and cancel those that have not ended after `grace_s` seconds."""
        if self._server is not None:
            await self._server.stop(grace_s)

    def _options(self) -> list[tuple[str, int]]:
        limits = self.config.limits
        return [
            # Otherwise a second server would start on the same port, and get half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.max_body_mb * _BYTES_PER_MB),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", 16_384),
            ("grpc.max_concurrent_streams", limits.max_concurrent_requests),
            ("grpc.max_connection_idle_ms", limits.keep_alive_timeout_s * 1000),
        ]

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.serving.grpc_inference.grpc_server import GrpcServer
from pipeline.serving.grpc_inference.protocol_messages import SERVICE
from tests.fixtures.registered_project import make_engine
from tests.fixtures.toy_dataset import settings
from tests.pipeline.serving.http.test_application import make_application

if TYPE_CHECKING:
    from pathlib import Path


def make_server(root: Path, **changes: Any) -> GrpcServer:
    config = settings().serving.model_copy(update={"grpc_port": 0, **changes})
    return GrpcServer(make_engine(root), make_application(), config)


async def call(address: str, data: bytes) -> Any:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            return await channel.unary_unary(f"/{SERVICE}/ServerLive")(data)
        except grpc.aio.AioRpcError as error:
            return error


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async def start_twice() -> None:
        first = make_server(tmp_path)
        address = await first.start()
        try:
            with pytest.raises(DependencyUnavailable, match=f"{address}: the server cannot listen for gRPC"):
                await make_server(tmp_path, grpc_port=int(address.rpartition(":")[2])).start()
        finally:
            await first.stop(0)

    asyncio.run(start_twice())


def test_a_message_above_the_limit_of_a_body_is_refused(tmp_path: Path) -> None:
    async def send() -> tuple[Any, Any]:
        limits = settings().serving.limits.model_copy(update={"max_body_mb": 1})
        server = make_server(tmp_path, limits=limits)
        address = await server.start()
        try:
            return await call(address, bytes(1_000_001)), await call(address, b"")
        finally:
            await server.stop(0)

    refused, accepted = asyncio.run(send())
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert accepted == b"\x08\x01"


def test_a_server_that_was_not_started_stops(tmp_path: Path) -> None:
    asyncio.run(make_server(tmp_path).stop(0))

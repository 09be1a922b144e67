"""The calls of a real server of gRPC in this process, without a model: callers, statuses, log and limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pipeline.serving.grpc_inference.inference_service import InferenceService, status_code
from pipeline.serving.grpc_inference.protocol_messages import SERVICE, message_class
from pipeline.serving.http import problems
from pipeline.serving.http.authentication import Authenticator, Principal
from pipeline.serving.http.limits import ConcurrencyLimiter
from tests.fixtures.registered_project import make_engine
from tests.pipeline.serving.http.test_application import make_application

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY = ("authorization", "Bearer viewer")


class WordVerifier:
    """Accepts the name of a role as a token."""

    def recognizes(self, token: str) -> bool:
        return bool(token)

    async def verify(self, token: str) -> Principal | None:
        return Principal.from_roles(token, (token,)) if token in ("viewer", "predict") else None


def protected_application(**options: Any) -> Any:
    application = make_application(**options)
    application.authenticator = Authenticator(is_required=True, verifiers=(WordVerifier(),), rate_limiter=None)
    return application


async def call(application: Any, root: Path, method: str, metadata: Iterable[tuple[str, str]], data: bytes) -> Any:
    """Call a method, and return its response, or the error."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((InferenceService(make_engine(root), application, 10).handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            response = await channel.unary_unary(f"/{SERVICE}/{method}")(data, metadata=tuple(metadata))
            return message_class(f"{method}Response").FromString(response)
    except grpc.aio.AioRpcError as error:
        return error
    finally:
        await server.stop(0)


def run(application: Any, root: Path, method: str, *metadata: tuple[str, str], data: bytes = b"") -> Any:
    return asyncio.run(call(application, root, method, metadata, data))


@pytest.mark.parametrize("method", ["ServerLive", "ServerReady", "ServerMetadata", "ModelReady"])
def test_a_public_method_needs_no_credential(tmp_path: Path, method: str) -> None:
    assert not isinstance(run(protected_application(), tmp_path, method), grpc.aio.AioRpcError)


def test_without_a_model_the_server_is_live_and_not_ready(tmp_path: Path) -> None:
    application = make_application()
    assert run(application, tmp_path, "ServerLive").live
    assert not run(application, tmp_path, "ServerReady").ready
    error = run(application, tmp_path, "ModelInfer")
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "the engine was not started")
    assert dict(error.trailing_metadata())["retry-after"] == "2"


@pytest.mark.parametrize(
    ("method", "metadata", "code"),
    [
        ("ModelMetadata", (), grpc.StatusCode.UNAUTHENTICATED),
        ("ModelInfer", (), grpc.StatusCode.UNAUTHENTICATED),
        ("ModelInfer", (("authorization", "Bearer unknown"),), grpc.StatusCode.UNAUTHENTICATED),
        ("ModelInfer", (KEY,), grpc.StatusCode.PERMISSION_DENIED),
        ("ModelInfer", (("authorization", "Bearer predict"), ("log", "false")), grpc.StatusCode.PERMISSION_DENIED),
        ("ModelInfer", (KEY, KEY), grpc.StatusCode.INVALID_ARGUMENT),
        ("ModelMetadata", (KEY,), grpc.StatusCode.UNAVAILABLE),
        ("ModelInfer", (KEY, ("log", "false")), grpc.StatusCode.UNAVAILABLE),
        ("ModelInfer", (("authorization", "Bearer predict"),), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_a_role_allows_the_methods_that_it_allows_over_http(
    tmp_path: Path, method: str, metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode
) -> None:
    assert run(protected_application(), tmp_path, method, *metadata).code() is code


def test_a_call_is_counted_with_its_request_id(tmp_path: Path) -> None:
    application = make_application()
    error = run(application, tmp_path, "ModelInfer", ("x-request-id", "r-7"))
    assert dict(error.trailing_metadata())["x-request-id"] == "r-7"
    assert application.request_metrics.request_counts == {("grpc_infer", 503): 1}


def test_a_call_above_the_limit_of_concurrent_work_is_shed(tmp_path: Path) -> None:
    limiter = ConcurrencyLimiter(max_requests=1, max_bytes=1000)
    limiter.acquire(1)
    error = run(make_application(concurrency_limiter=limiter), tmp_path, "ModelInfer")
    assert (error.code(), limiter.n_shed) == (grpc.StatusCode.UNAVAILABLE, 1)
    assert "at its limit of concurrent work" in error.details()


def test_every_problem_has_a_status_code() -> None:
    calls = {
        kind: status for kind, (status, _) in problems.problem_types().items() if int(status) not in (405, 415, 431)
    }
    assert all(status_code(int(status)) is not grpc.StatusCode.OK for status in calls.values())


def test_a_method_that_the_protocol_lacks_is_unimplemented(tmp_path: Path) -> None:
    assert run(make_application(), tmp_path, "RepositoryIndex").code() is grpc.StatusCode.UNIMPLEMENTED

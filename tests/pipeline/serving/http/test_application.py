from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.access_log import AccessLog, null_logger
from pipeline.serving.http.application import Application, ServerStatus, TrustedHosts
from pipeline.serving.http.authentication import Authenticator
from pipeline.serving.http.limits import ConcurrencyLimiter, RefusalPacer
from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.router import JSON_ONLY, Route, Router
from pipeline.serving.http.server_metrics import RequestMetrics

if TYPE_CHECKING:
    from pipeline.serving.http.messages import HttpRequest

JSON_TYPE = (b"content-type", b"application/json")
GZIP = (b"content-encoding", b"gzip")
HOST = (b"host", b"localhost:5000")


async def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


async def probe(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}")


async def fail(_request: HttpRequest) -> HttpResponse:
    raise ValueError("a value that was sent")


def make_application(**options: Any) -> Application:
    routes = (
        Route("echo", "POST", "/echo", "predict", echo, JSON_ONLY, query_params=("mode",)),
        Route("live", "GET", "/livez", "public", probe, is_probe=True),
        Route("fail", "GET", "/fail", "public", fail),
    )
    settings: dict[str, Any] = {
        "trusted_hosts": TrustedHosts(frozenset({b"localhost"})),
        "concurrency_limiter": ConcurrencyLimiter(max_requests=2, max_bytes=1000),
        "max_body_bytes": 100,
        "max_connections": 1,
        "refusal_pacer": RefusalPacer(pause_s=0, per_s=1000),
        **options,
    }
    return Application(
        Router(routes),
        Authenticator(is_required=False, verifiers=(), rate_limiter=None),
        request_metrics=RequestMetrics(),
        access_log=AccessLog(null_logger(), logs_all=False),
        **settings,
    )


@dataclass
class Exchange:
    """One request over ASGI, and what the application sent."""

    method: str = "POST"
    path: str = "/echo"
    headers: tuple[tuple[bytes, bytes], ...] = (HOST, JSON_TYPE)
    chunks: tuple[bytes, ...] = (b"{}",)
    query: bytes = b""
    sent: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, application: Application) -> Exchange:
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in self.chunks]
        if messages:
            messages[-1]["more_body"] = False
        messages.append({"type": "http.disconnect"})
        queue = iter(messages)

        async def receive() -> dict[str, Any]:
            return next(queue)

        async def send(message: Any) -> None:
            self.sent.append(message)

        scope = {
            "type": "http", "method": self.method, "path": self.path, "query_string": self.query,
            "headers": list(self.headers), "client": ("127.0.0.1", 5),
        }  # fmt: skip
        await application(scope, receive, send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def response_headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def problem(self) -> str:
        return str(json.loads(self.sent[1]["body"])["type"].rpartition(":")[2])


def run(application: Application, **options: Any) -> Exchange:
    return asyncio.run(Exchange(**options).run(application))


def test_a_response_has_the_body_of_its_handler_and_security_headers() -> None:
    exchange = run(make_application(), headers=(HOST, JSON_TYPE, (b"x-request-id", b"r-1")), chunks=(b"[1,", b"2]"))
    assert (exchange.status, exchange.sent[1]["body"]) == (200, b"[1,2]")
    assert exchange.response_headers == {
        b"content-type": b"application/json",
        b"content-length": b"5",
        b"x-request-id": b"r-1",
        b"x-content-type-options": b"nosniff",
        b"cache-control": b"no-store",
    }


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [
        ({"path": "/nowhere"}, 404, "not-found"),
        ({"method": "DELETE"}, 405, "method-not-allowed"),
        ({"headers": ((b"host", b"evil.example"), JSON_TYPE)}, 403, "host-refused"),
        ({"headers": (HOST, JSON_TYPE, (b"origin", b"https://evil.example"))}, 403, "origin-refused"),
        ({"headers": (HOST, JSON_TYPE, JSON_TYPE)}, 400, "bad-request"),
        ({"headers": (HOST, (b"content-type", b"text/plain"))}, 415, "unsupported-media-type"),
        ({"headers": (HOST, JSON_TYPE, (b"content-encoding", b"br"))}, 415, "unsupported-media-type"),
        ({"headers": (HOST, JSON_TYPE, GZIP), "chunks": (b"[1, 2, 3, 4]",)}, 413, "too-large"),
        ({"headers": (HOST, JSON_TYPE, GZIP), "chunks": (gzip.compress(b"x" * 101),)}, 413, "too-large"),
        ({"headers": (HOST, JSON_TYPE, GZIP), "chunks": (gzip.compress(b"[1]")[:-9] + bytes(9),)}, 400, "bad-request"),
        ({"headers": (HOST, JSON_TYPE, (b"content-length", b"101"))}, 413, "too-large"),
        ({"chunks": (b"x" * 101,)}, 413, "too-large"),
        ({"chunks": (b"x" * 60, b"x" * 60)}, 413, "too-large"),
        ({"query": b"other=1"}, 400, "bad-request"),
        ({"method": "GET", "path": "/fail", "chunks": ()}, 500, "bug"),
    ],
)
def test_a_refused_request_gets_a_problem(options: dict[str, Any], status: int, problem: str) -> None:
    exchange = run(make_application(), **options)
    assert (exchange.status, exchange.problem) == (status, problem)
    assert exchange.response_headers[b"content-type"] == b"application/problem+json"


def test_a_compressed_body_reaches_its_handler_decoded() -> None:
    chunks = (gzip.compress(b"[1,2]"),)
    exchange = run(make_application(), headers=(HOST, JSON_TYPE, GZIP), chunks=chunks)
    assert (exchange.status, exchange.sent[1]["body"]) == (200, b"[1,2]")


def test_an_internal_error_does_not_reveal_its_message() -> None:
    exchange = run(make_application(), method="GET", path="/fail", chunks=())
    assert b"a value that was sent" not in exchange.sent[1]["body"]


def test_a_body_of_exactly_the_limit_is_accepted() -> None:
    assert run(make_application(), chunks=(b"x" * 40, b"x" * 60)).status == 200


def test_with_too_many_connections_only_probes_succeed() -> None:
    application = make_application(server_status=ServerStatus(connections={1, 2}))
    refused = run(application)
    assert (refused.status, refused.response_headers[b"connection"]) == (503, b"close")
    assert run(application, method="GET", path="/livez", headers=(), chunks=()).status == 200


def test_requests_over_the_concurrency_limit_are_shed_with_retry_after() -> None:
    application = make_application(concurrency_limiter=ConcurrencyLimiter(max_requests=1, max_bytes=1000))
    application.concurrency_limiter.acquire(10)
    refused = run(application)
    assert (refused.status, refused.problem, refused.response_headers[b"retry-after"]) == (503, "overloaded", b"1")
    application.concurrency_limiter.release(10)
    assert run(application).status == 200


def test_a_finished_request_releases_its_place_and_its_buffer() -> None:
    application = make_application()
    for options in ({}, {"chunks": (b"x" * 60, b"x" * 60)}, {"path": "/nowhere"}):
        run(application, **options)
    assert application.concurrency_limiter.n_requests == 0
    assert application.n_buffered_bytes == 0


@pytest.mark.parametrize("chunks", [(), (b"{",)])
def test_a_client_that_disconnects_is_counted_and_gets_no_response(chunks: tuple[bytes, ...]) -> None:
    application = make_application()

    async def disconnect() -> Exchange:
        exchange = Exchange(chunks=())
        messages = iter(
            [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
            + [{"type": "http.disconnect"}]
        )

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: Any) -> None:
            exchange.sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": [HOST, JSON_TYPE],
            "client": None,
        }  # fmt: skip
        await application(scope, receive, send)
        return exchange

    assert asyncio.run(disconnect()).sent == []
    assert dict(application.request_metrics.request_counts) == {("echo", 499): 1}


def test_a_cancelled_request_is_counted_and_stays_cancelled() -> None:
    application = make_application()

    async def cancel() -> bool:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError

        async def send(_message: Any) -> None:
            raise AssertionError

        scope = {
            "type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": [HOST, JSON_TYPE],
            "client": None,
        }  # fmt: skip
        task = asyncio.ensure_future(application(scope, receive, send))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(cancel())
    assert dict(application.request_metrics.request_counts) == {("echo", 499): 1}


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        (b"localhost", True),
        (b"LOCALHOST:80", True),
        (b"[::1]:80", True),
        (b"localhost.evil.example", False),
        (b"", False),
    ],
)
def test_a_host_is_compared_without_its_port(host: bytes, is_trusted: bool) -> None:
    hosts = TrustedHosts(frozenset({b"localhost", b"[::1]"}))
    exchange = run(make_application(trusted_hosts=hosts), headers=((b"host", host), JSON_TYPE))
    assert exchange.status == (200 if is_trusted else 403)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        (b"http://localhost:5000", True),
        (b"HTTP://LOCALHOST:5000", True),
        (b"https://api.example.org", True),
        (b"https://api.example.org:8443", True),
        (b"http://localhost:8501", False),
        (b"http://localhost", False),
        (b"http://127.0.0.1:5000", False),
        (b"http://[::1]:5000", False),
        (b"null", False),
        (b"", False),
    ],
)
def test_a_page_of_another_port_of_this_machine_is_another_site(origin: bytes, is_own: bool) -> None:
    hosts = TrustedHosts(frozenset({b"localhost", b"127.0.0.1", b"[::1]", b"api.example.org"}))
    exchange = run(make_application(trusted_hosts=hosts), headers=(HOST, JSON_TYPE, (b"origin", origin)))
    assert exchange.status == (200 if is_own else 403)

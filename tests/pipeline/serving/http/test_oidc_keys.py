"""A slow, lying or absurd issuer costs a request a few seconds at most, and known keys stay valid."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.oidc import OidcVerifier
from tests.pipeline.serving.http.oidc_issuer import OidcIssuer, run_issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from pipeline.serving.http.authentication import Principal

    Respond = Callable[[BaseHTTPRequestHandler], bool]

TIMEOUT_S = 0.4


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with run_issuer() as running_issuer:
        yield running_issuer
        running_issuer.respond = lambda _: False


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> bool:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    with suppress(OSError):  # the client reads no more than it wants
        handler.wfile.write(body)
    return True


def drip(handler: BaseHTTPRequestHandler, head: bytes) -> bool:
    """Send one byte at a time, for longer than anybody waits."""
    ends_at = time.monotonic() + 4 * TIMEOUT_S
    with suppress(OSError):
        handler.wfile.write(head)
        while time.monotonic() < ends_at:
            handler.wfile.write(b" ")
            time.sleep(0.02)
    handler.close_connection = True
    return True


def only_keys(body: bytes) -> Respond:
    return lambda handler: handler.path == "/keys" and send(handler, body)


def key_set(keys: object) -> Respond:
    return only_keys(json.dumps({"keys": keys}).encode())


STRANGE_ISSUERS: dict[str, Respond] = {
    "drips the header": lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "drips the body": lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "drips chunks": lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"),
    "drips the keys": lambda handler: handler.path == "/keys" and drip(handler, b"HTTP/1.1 200 OK\r\n\r\n"),
    "server error": lambda handler: send(handler, b"no", 500),
    "no JSON": lambda handler: send(handler, b"<html>"),
    "a list": lambda handler: send(handler, b"[]"),
    "no address of keys": lambda handler: send(handler, b'{"jwks_uri": 7}'),
    "keys in a file": lambda handler: send(handler, b'{"jwks_uri": "file:///etc/passwd"}'),
    "keys over http": lambda handler: send(handler, b'{"jwks_uri": "http://192.0.2.1/keys"}'),
    "redirect": lambda handler: handler.path == "/keys" and send(handler, b"", 302, Location="/other"),
    "redirect away": lambda handler: send(handler, b"", 307, Location="http://192.0.2.1/"),
    "too long": only_keys(b" " * 1_000_001 + b'{"keys": []}'),
    "deep": only_keys(b'{"keys": ' + b"[" * 200_000),
    "null": only_keys(b"null"),
    "no list": key_set({"kid": "k2"}),
    "no keys": key_set([]),
    "strange keys": key_set([None, 7, "k2", [], {"kid": ["k2"]}, {"kid": "k2"}, {"kid": "k2", "kty": "RSA", "n": 7}]),
    "a shared secret": key_set([{"kid": "k2", "kty": "oct", "k": "c2VjcmV0"}]),
    "thousands of keys": key_set([{"kid": str(number), "kty": "RSA"} for number in range(5000)]),
}


@pytest.mark.parametrize("name", STRANGE_ISSUERS)
def test_a_strange_issuer_is_not_believed_and_known_keys_go_on(
    issuer: OidcIssuer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.http.oidc_keys._FETCH_TIMEOUT_S", TIMEOUT_S)
    moment = [0.0]
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, elapsed=lambda: moment[0])

    async def run() -> list[Principal | None]:
        known = await tokens.verify(issuer.token())
        issuer.add_key("k2")
        issuer.respond = STRANGE_ISSUERS[name]
        moment[0] += 31
        started_s = time.monotonic()
        unknown, again = await asyncio.gather(tokens.verify(issuer.token("k2")), verify_soon(issuer.token(sub="bob")))
        assert time.monotonic() - started_s < 4 * TIMEOUT_S
        return [known, unknown, again]

    async def verify_soon(token: str) -> Any:
        await asyncio.sleep(0)
        return await asyncio.wait_for(tokens.verify(token), TIMEOUT_S / 2)

    known, unknown, again = asyncio.run(run())
    assert (known is None, unknown, again is None) == (False, None, False)


def test_known_keys_are_refreshed_while_requests_go_on(issuer: OidcIssuer) -> None:
    moment = [0.0]
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, elapsed=lambda: moment[0])

    async def run() -> list[bool]:
        answers = [await tokens.verify(issuer.token()) is not None]
        token = issuer.token()
        issuer.keys = {}
        issuer.add_key("k2")
        moment[0] += 3100
        answers.append(await tokens.verify(token) is not None)
        await asyncio.sleep(0.2)
        moment[0] += 61
        answers.append(await tokens.verify(token) is not None)
        return answers

    assert asyncio.run(run()) == [True, True, False]


def test_keys_that_are_too_old_are_fetched_before_they_are_used(issuer: OidcIssuer) -> None:
    moment = [0.0]
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, elapsed=lambda: moment[0])

    async def run() -> list[bool]:
        answers = [await tokens.verify(issuer.token()) is not None]
        token = issuer.token()
        issuer.keys = {}
        issuer.add_key("k2")
        moment[0] += 4000
        answers.append(await tokens.verify(token) is not None)
        return answers

    assert asyncio.run(run()) == [True, False]

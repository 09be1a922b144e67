"""No request of a hostile client causes a 5xx, hangs, or delays a valid request."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.problems import problem_media_type
from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import MODEL_NAME, ROW
from tests.pipeline.serving.http.behavior.hostile_requests import hostile_bodies, hostile_raw_requests

if TYPE_CHECKING:
    import httpx

    from tests.fixtures.server_process import RunningServer

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

_MAX_RESPONSE_S = 2
# `--proof=long` sends a good body after each bad one.
N_VALID_AFTER = proof_rounds(10, long=1)
_DATATYPES = {int: "INT64", str: "BYTES"}


def tensors() -> dict[str, Any]:
    inputs = [
        {"name": name, "shape": [1], "datatype": _DATATYPES[type(value)], "data": [value]}
        for name, value in ROW.items()
    ]
    return {"inputs": inputs}


VALID_BODIES: dict[str, Any] = {
    "/predict": {"features": ROW},
    "/predict/batch": {"instances": [ROW, ROW]},
    "/v1/explain": {"features": ROW},
    "/v1/what-if": {"features": ROW},
    "/feedback": {"outcomes": [{"prediction_id": "PREDICTION", "outcome": "Extrovert", "source": "person"}] * 2},
    f"/v2/models/{MODEL_NAME}/infer": tensors(),
}
# Variants that are valid: numbers and words that the field accepts, and an empty text, which is a missing word.
_VALID_MUTATIONS = {
    "/feedback": {".source=" + value for value in ('"4"', '" No"', '"<script>"', '"\\x41"')},
    f"/v2/models/{MODEL_NAME}/infer": {
        f'.inputs[{at}].data[0]=""' for at, value in enumerate(ROW.values()) if isinstance(value, str)
    },
}


def must_be_refused(path: str, name: str) -> bool:
    return not any(name.endswith(mutation) or mutation in name for mutation in _VALID_MUTATIONS.get(path, ()))


@pytest.mark.parametrize("path", VALID_BODIES)
def test_every_hostile_body_is_refused_and_a_valid_body_works_afterwards(client: httpx.Client, path: str) -> None:
    text = json.dumps(VALID_BODIES[path])
    if "PREDICTION" in text:
        text = text.replace("PREDICTION", client.post("/predict", json={"features": ROW}).json()["prediction_id"])
    good = text.encode()
    headers = {"Content-Type": "application/json"}
    n_sent, wrong = 0, []
    for name, body in hostile_bodies(json.loads(text)):
        began = time.monotonic()
        response = client.post(path, content=body, headers=headers)
        duration_s = time.monotonic() - began
        n_sent += 1
        media_type = problem_media_type(path).decode()
        is_refused = 400 <= response.status_code < 500 and response.headers["content-type"] == media_type
        if (
            (must_be_refused(path, name) and not is_refused)
            or response.status_code >= 500
            or duration_s > _MAX_RESPONSE_S
        ):
            wrong.append((name, response.status_code, round(duration_s, 2)))
        if n_sent % N_VALID_AFTER == 0:
            after = client.post(path, content=good, headers=headers)
            if after.status_code != 200:
                wrong.append((f"a good one after {name}", after.status_code, 0))
    assert wrong == []
    assert n_sent >= 400


# Bodies within the limit of bytes that hold far more values than any request may have.
_LARGE_BODIES = {
    "numbers": b"[" + b"1," * 10_000_000 + b"1]",
    "keys": b"{" + b",".join(b'"k%d":1' % at for at in range(1_500_000)) + b"}",
}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/feedback"])
@pytest.mark.parametrize("kind", _LARGE_BODIES)
def test_a_body_of_millions_of_values_is_refused_unread(client: httpx.Client, path: str, kind: str) -> None:
    body = b'{"%s": %s}' % (next(iter(VALID_BODIES[path])).encode(), _LARGE_BODIES[kind])
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["problems"][0]["rule"]) == (413, "max_values")


def test_invalid_raw_requests_are_refused_or_disconnected(server: RunningServer, client: httpx.Client) -> None:
    wrong = []
    for name, data in hostile_raw_requests(f"127.0.0.1:{server.port}"):
        status, duration_s = _exchange(server.port, data)
        if (status is not None and not 400 <= status < 500) or duration_s > _MAX_RESPONSE_S:
            wrong.append((name, status, round(duration_s, 2)))
        assert client.post("/predict", json={"features": ROW}).status_code == 200, name
    assert wrong == []


def _exchange(port: int, data: bytes) -> tuple[int | None, float]:
    """Send bytes and close the sending side; return the status and the seconds until the response."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=_MAX_RESPONSE_S + 1) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            first = connection.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            first = b""
    status = int(first.split(b" ", 2)[1]) if first.startswith(b"HTTP/1.1 ") else None
    return status, time.monotonic() - began

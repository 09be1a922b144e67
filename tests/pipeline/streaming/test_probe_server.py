"""Probes respond on a port of their own, and the reason is in the body."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.serving.http.metrics_encoding import EncodedMetrics
from pipeline.streaming.probe_server import ProbeServer

if TYPE_CHECKING:
    from collections.abc import Iterator


def _no_metrics(accept: str) -> EncodedMetrics:
    return EncodedMetrics(b"", accept)


@contextmanager
def _running(reason: str | None) -> Iterator[str]:
    server = ProbeServer(
        ("127.0.0.1", 0),
        find_reason=lambda: reason,
        metrics=lambda accept: EncodedMetrics(b"mlops_stream_ready 1\n", accept),
    )
    server.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("reason", "path", "expected"),
    [
        (None, "/livez", (200, '{"live":true}')),
        ("the disk is full", "/livez", (200, '{"live":true}')),
        (None, "/readyz", (200, '{"ready": true, "reason": null}')),
        ("the disk is full", "/readyz?verbose=1", (503, '{"ready": false, "reason": "the disk is full"}')),
        (None, "/metrics", (200, "mlops_stream_ready 1\n")),
        (None, "/", (404, '{"title":"Not found","detail":"expected /metrics, /livez or /readyz"}')),
    ],
)
def test_a_probe_has_its_status_and_reason(reason: str | None, path: str, expected: tuple[int, str]) -> None:
    with _running(reason) as address:
        response = httpx.get(address + path)
    assert (response.status_code, response.text) == expected


def test_a_scrape_has_the_format_that_the_caller_accepts() -> None:
    with _running(None) as address:
        response = httpx.get(f"{address}/metrics", headers={"accept": "application/openmetrics-text"})
    assert response.headers["content-type"] == "application/openmetrics-text"


def test_a_taken_port_is_an_error_that_names_the_option() -> None:
    with _running(None) as address, pytest.raises(DependencyUnavailable, match="set --port"):
        ProbeServer(("127.0.0.1", int(address.rpartition(":")[2])), find_reason=lambda: None, metrics=_no_metrics)

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from pipeline.serving.http.application import ServerStatus
from pipeline.serving.http.authentication import ANONYMOUS
from pipeline.serving.http.messages import HttpRequest
from pipeline.serving.http.probe_endpoints import ProbeEndpoints
from pipeline.serving.http.router import Router, bind_routes, declared_routes
from tests.fixtures.registered_project import make_engine

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.serving.http.messages import HttpResponse


def get(root: Path, path: str) -> HttpResponse:
    router = Router(bind_routes(ProbeEndpoints(make_engine(root), ServerStatus())))
    route, path_params = router.find("GET", path)
    return asyncio.run(route.handler(HttpRequest("GET", path, b"", {}, "r-1", ANONYMOUS, path_params)))


def test_every_route_is_a_public_probe() -> None:
    assert {(route.role, route.is_probe) for route in declared_routes(ProbeEndpoints)} == {("public", True)}


@pytest.mark.parametrize("path", ["/livez", "/v2/health/live"])
def test_a_process_without_a_model_is_live(tmp_path: Path, path: str) -> None:
    response = get(tmp_path, path)
    assert (response.status, response.body) == (200, b'{"live":true}')


@pytest.mark.parametrize("path", ["/readyz", "/v2/health/ready", "/health"])
def test_a_process_without_a_model_is_not_ready(tmp_path: Path, path: str) -> None:
    response = get(tmp_path, path)
    assert (response.status, json.loads(response.body)["ready"]) == (503, False)

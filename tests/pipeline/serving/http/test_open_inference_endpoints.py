from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from pipeline.serving.http.application import ServerStatus
from pipeline.serving.http.authentication import ANONYMOUS
from pipeline.serving.http.messages import HttpRequest
from pipeline.serving.http.open_inference_endpoints import OpenInferenceEndpoints
from pipeline.serving.http.router import Router, bind_routes, declared_routes
from pipeline.serving.serving_errors import NotReady
from tests.fixtures.registered_project import make_engine

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.serving.http.messages import HttpResponse

MODEL = "/v2/models/m"


def send(root: Path, method: str, path: str) -> HttpResponse:
    router = Router(bind_routes(OpenInferenceEndpoints(make_engine(root), ServerStatus(), max_rows=10)))
    route, path_params = router.find(method, path)
    return asyncio.run(route.handler(HttpRequest(method, path, b"", {}, "r-1", ANONYMOUS, path_params, b"{}")))


def test_the_server_names_itself_and_its_extension(tmp_path: Path) -> None:
    assert json.loads(send(tmp_path, "GET", "/v2").body) == {
        "name": "declarative-mlops",
        "version": version("declarative-mlops"),
        "extensions": ["binary_tensor_data"],
    }


@pytest.mark.parametrize("prefix", [MODEL, f"{MODEL}/versions/1"])
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("GET", "/ready"), ("POST", "/infer")])
def test_without_a_model_each_endpoint_of_a_model_is_not_ready(
    tmp_path: Path, prefix: str, method: str, suffix: str
) -> None:
    with pytest.raises(NotReady, match="the engine was not started"):
        send(tmp_path, method, prefix + suffix)


def test_an_endpoint_has_the_same_role_with_and_without_a_version() -> None:
    roles = {route.path: route.role for route in declared_routes(OpenInferenceEndpoints)}
    versioned = {path: role for path, role in roles.items() if "{version}" in path}
    assert len(versioned) == 3
    assert all(roles[path.replace("/versions/{version}", "")] == role for path, role in versioned.items())

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.router import Route, Router


async def no_op_handler(_call: Any) -> Any:
    raise AssertionError


def example_route(method: str = "GET", path: str = "/a", role: str | None = "viewer") -> Route:
    return Route("one", method, path, role, no_op_handler)


@pytest.mark.parametrize("role", [None, "", "root"])
def test_an_operation_without_a_declared_role_stops_the_start(role: str | None) -> None:
    with pytest.raises(ConfigError, match="GET /a: declares no role; expected one of public, predict"):
        Router((example_route(role=role),))


def test_two_routes_on_the_same_path_stop_the_start() -> None:
    with pytest.raises(ConfigError, match="GET /a: is declared twice"):
        Router((example_route(), example_route()))


def test_an_unknown_path_names_those_that_are_known() -> None:
    with pytest.raises(HttpProblem, match="known paths: /predict; did you mean '/predict'") as caught:
        Router((example_route(path="/predict"),)).find("GET", "/predct")
    assert caught.value.status == 404


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(HttpProblem, match="this path accepts GET, HEAD, POST") as caught:
        Router((example_route(), example_route("POST"))).find("DELETE", "/a")
    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "GET, HEAD, POST"})


def test_parts_of_a_path_have_names() -> None:
    routes = Router((example_route(path="/v2/models/{model}/ready"),))
    assert routes.find("GET", "/v2/models/m/ready")[1] == {"model": "m"}
    with pytest.raises(HttpProblem, match="known paths"):
        routes.find("GET", "/v2/models//ready")


def test_head_is_routed_as_get() -> None:
    assert Router((example_route(),)).find("HEAD", "/a")[0].name == "one"

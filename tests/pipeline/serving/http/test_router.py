from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.router import JSON_ONLY, Route, Router, bind_routes, route


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


def test_a_verb_of_a_path_is_found_before_the_value_that_contains_it() -> None:
    bare, verb = example_route(path="/m/{model}"), example_route("POST", "/m/{model}:predict")
    router = Router((bare, verb))
    assert router.find("POST", "/m/a:predict") == (verb, {"model": "a"})
    assert router.find("GET", "/m/a:b") == (bare, {"model": "a:b"})
    with pytest.raises(HttpProblem) as error:
        router.find("POST", "/m/:predict")
    assert error.value.status == 405


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


@pytest.mark.parametrize("path", ["/v2", "/v2/models/m"])
def test_a_slash_at_the_end_names_the_same_route(path: str) -> None:
    routes = Router((example_route(path="/v2"), example_route(path="/v2/models/{model}")))
    assert routes.find("GET", f"{path}/") == routes.find("GET", path)
    with pytest.raises(HttpProblem, match="known paths"):
        routes.find("GET", f"{path}//")


def test_head_is_routed_as_get() -> None:
    assert Router((example_route(),)).find("HEAD", "/a")[0].name == "one"


class ExampleEndpoints:
    def __init__(self, name: str) -> None:
        self.name = name

    @route("GET", "/first", role="public", summary="The first")
    @route("GET", "/v2/first", name="v2_first", role="viewer")
    async def first(self, request: Any) -> Any:
        return self.name, request

    @route("POST", "/second", role="predict", accepts=JSON_ONLY)
    async def second(self, _request: Any) -> Any:
        raise AssertionError

    async def without_a_route(self, _request: Any) -> Any:
        raise AssertionError


class EndpointsWithoutARole:
    @route("GET", "/first", summary="Nobody decided who may call it")
    async def first(self, _request: Any) -> Any:
        raise AssertionError


def test_routes_are_declared_above_their_handler_in_the_order_of_the_source() -> None:
    routes = bind_routes(ExampleEndpoints("a"))
    assert [(declared.name, declared.path, declared.role) for declared in routes] == [
        ("first", "/first", "public"),
        ("v2_first", "/v2/first", "viewer"),
        ("second", "/second", "predict"),
    ]
    assert (routes[0].summary, routes[2].accepts) == ("The first", ("application/json",))


def test_a_bound_handler_takes_the_request_alone() -> None:
    first, second = (bind_routes(ExampleEndpoints(name))[0] for name in ("a", "b"))
    assert [asyncio.run(declared.handler("request")) for declared in (first, second)] == [
        ("a", "request"),
        ("b", "request"),
    ]


def test_a_declaration_without_a_role_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="GET /first: declares no role; expected one of public, predict"):
        Router(bind_routes(EndpointsWithoutARole()))


def test_a_declaration_with_an_unknown_option_fails_at_import() -> None:
    with pytest.raises(TypeError, match="acepts"):
        route("GET", "/first", role="public", acepts=JSON_ONLY)(no_op_handler)

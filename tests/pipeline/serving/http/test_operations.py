from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.serving.http.operations import Operation, Routes
from pipeline.serving.http.problems import Refused


async def nothing(_call: Any) -> Any:
    raise AssertionError


def operation(method: str = "GET", path: str = "/a", role: str | None = "viewer") -> Operation:
    return Operation("one", method, path, role, nothing)


@pytest.mark.parametrize("role", [None, "", "root"])
def test_an_operation_without_a_declared_role_stops_the_start(role: str | None) -> None:
    with pytest.raises(ConfigError, match="GET /a: declares no role; one of public, predict"):
        Routes((operation(role=role),))


def test_two_operations_on_one_path_stop_the_start() -> None:
    with pytest.raises(ConfigError, match="GET /a: is declared twice"):
        Routes((operation(), operation()))


def test_an_unknown_path_names_those_that_are_known() -> None:
    with pytest.raises(Refused, match="known paths: /predict; did you mean '/predict'") as caught:
        Routes((operation(path="/predict"),)).find("GET", "/predct")
    assert caught.value.status == 404


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(Refused, match="this path answers to GET, HEAD, POST") as caught:
        Routes((operation(), operation("POST"))).find("DELETE", "/a")
    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "GET, HEAD, POST"})


def test_parts_of_a_path_have_names() -> None:
    routes = Routes((operation(path="/v2/models/{model}/ready"),))
    assert routes.find("GET", "/v2/models/m/ready")[1] == {"model": "m"}
    with pytest.raises(Refused, match="known paths"):
        routes.find("GET", "/v2/models//ready")


def test_head_is_answered_as_get() -> None:
    assert Routes((operation(),)).find("HEAD", "/a")[0].name == "one"

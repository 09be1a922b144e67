from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from pipeline.serving.http.endpoints import ENDPOINT_CLASSES
from pipeline.serving.http.openapi import openapi_document
from pipeline.serving.http.router import Route, declared_routes
from tests.fixtures.toy_dataset import schema

ROUTES = declared_routes(*ENDPOINT_CLASSES)


def make_document(*, has_model: bool = True) -> dict[str, Any]:
    path_values = {"model": "m", "version": "3"} if has_model else {}
    return openapi_document(ROUTES, schema() if has_model else None, title="m", version="1.0", path_values=path_values)


def operation_of(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = make_document()["paths"][route.path][route.method.lower()]
    return operation


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_each_route_is_an_operation_with_its_role(route: Route) -> None:
    operation = operation_of(route)
    assert (operation["operationId"], operation["x-required-role"]) == (route.name, route.role)
    assert (operation["security"] == []) is (route.role == "public")
    assert {"200", "400", "403", "503"} <= set(operation["responses"])
    assert ("401" in operation["responses"]) is (route.role != "public")


def test_names_of_operations_are_unique() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("has_model", [True, False])
def test_each_reference_names_a_schema_of_the_document(has_model: bool) -> None:
    document = make_document(has_model=has_model)
    text = msgspec.json.encode(document).decode()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= set(document["components"]["schemas"])


def test_parts_of_a_path_have_the_only_accepted_value() -> None:
    parameters = make_document()["paths"]["/v2/models/{model}/versions/{version}"]["get"]["parameters"]
    assert {parameter["name"]: parameter["schema"]["enum"] for parameter in parameters} == {
        "model": ["m"],
        "version": ["3"],
    }


def test_binary_bodies_are_strings_and_json_has_a_schema() -> None:
    content = make_document()["paths"]["/predict/batch"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Batch"}
    assert content["text/csv"]["schema"] == {"type": "string", "format": "binary"}


def test_without_a_model_a_row_is_any_object() -> None:
    features = make_document(has_model=False)["components"]["schemas"]["Features"]
    assert features == {"type": "object", "additionalProperties": True}


def test_operations_are_grouped_by_declared_tags() -> None:
    document = make_document()
    declared = {tag["name"] for tag in document["tags"]}
    used = {tag for methods in document["paths"].values() for each in methods.values() for tag in each["tags"]}
    assert used == declared
    assert document["servers"] == [{"url": "/", "description": "The server that returned this document"}]


def test_a_probe_describes_why_the_server_cannot_predict() -> None:
    content = make_document()["paths"]["/readyz"]["get"]["responses"]["503"]["content"]
    assert content["application/json"] == {"schema": {"$ref": "#/components/schemas/Readiness"}}

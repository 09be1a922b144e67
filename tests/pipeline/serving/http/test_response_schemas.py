"""Each response of a route has a schema of its own; the contract test compares real responses with it."""

from __future__ import annotations

import pytest

from pipeline.serving.http.endpoints import ENDPOINT_CLASSES
from pipeline.serving.http.response_schemas import RESPONSE_SCHEMAS
from pipeline.serving.http.router import Route, declared_routes

ROUTES = declared_routes(*ENDPOINT_CLASSES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_json_response_is_an_object_with_named_properties(route: Route) -> None:
    schema = RESPONSE_SCHEMAS[route.response]
    if route.response_media_type == "application/json" and route.response != "OpenApiDocument":
        assert schema["type"] == "object"
        assert schema["required"]


def test_rows_of_a_batch_are_predictions_or_problems() -> None:
    rows = RESPONSE_SCHEMAS["Predictions"]["properties"]["predictions"]["items"]
    assert [each["$ref"].rpartition("/")[2] for each in rows["anyOf"]] == ["PredictedRow", "RefusedRow"]

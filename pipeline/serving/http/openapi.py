"""Describe the API with types, bounds, examples and units of the schema of the model that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.serving.http import json_schemas, problems
from pipeline.serving.http.authentication import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.schema import Schema
    from pipeline.serving.http.router import Route

__all__ = ["openapi_document"]

_JSON = "application/json"


def openapi_document(
    routes: Iterable[Route], schema: Schema | None, *, title: str, version: str, path_values: Mapping[str, str]
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; without a schema (no model serves) rows are any objects.

    `named` has the only value that a named part of a path takes: the model that serves, and its version.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in routes:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation_object(operation, path_values)
    own = {
        "Features": json_schemas.features_schema(schema),
        "Row": json_schemas.row_schema(),
        "Batch": json_schemas.batch_schema(),
        "Outcome": json_schemas.outcome_schema(schema),
        "Outcomes": json_schemas.outcomes_schema(),
        "Feedback": json_schemas.feedback_schema(),
        "Explanation": json_schemas.explanation_schema(),
        "Tensor": json_schemas.tensor_schema(schema),
        "Inference": json_schemas.inference_schema(),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Predictions of the model that serves."},
        "paths": paths,
        "components": {
            "schemas": {**own, **json_schemas.STATIC_SCHEMAS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation_object(route: Route, path_values: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "x-required-role": route.role,
        "security": [] if route.role == PUBLIC else [{"bearer": []}, {}],
        "responses": _responses(route),
    }
    parameters = [_path_parameter(part[1:-1], path_values) for part in route.path.split("/") if part.startswith("{")]
    parameters += [_PARAMETERS[name] for name in route.parameters]
    if parameters:
        told["parameters"] = parameters
    if route.request_schema is not None:
        told["requestBody"] = {"required": True, "content": _request_content(route)}
    return told


def _path_parameter(name: str, path_values: Mapping[str, str]) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "string", "minLength": 1}
    if name in path_values:
        shape["enum"] = [path_values[name]]
    return {"name": name, "in": "path", "required": True, "schema": shape}


_PARAMETERS: dict[str, dict[str, Any]] = {
    "on_error": {
        "name": "on_error",
        "in": "query",
        "description": "refuse: one bad row refuses the batch. partial: good rows are answered, bad ones are named.",
        "schema": {"type": "string", "enum": ["refuse", "partial"], "default": "refuse"},
    },
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A retry with the same key gets the stored answer.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
    "subject": {
        "name": "X-Subject-Id",
        "in": "header",
        "description": "Whom the rows speak of; erasure goes by it.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
}


def _request_content(route: Route) -> dict[str, Any]:
    shape = {"$ref": f"#/components/schemas/{route.request_schema}"}
    return {
        kind: {"schema": shape if kind == _JSON else {"type": "string", "format": "binary"}}
        for kind in route.request_media_types
        if kind != "application/octet-stream"
    }


def _responses(route: Route) -> dict[str, Any]:
    shape: dict[str, Any] = (
        {"schema": {"$ref": f"#/components/schemas/{route.response_schema}"}} if route.response_schema else {}
    )
    told: dict[str, Any] = {"200": {"description": "Done", "content": {route.response_media_type: shape}}}
    refusals = {400, 403, 503}
    if route.role != PUBLIC:
        refusals |= {401, 429}
    if route.request_schema is not None:
        refusals |= {408, 413, 415, 422, 409}
    if route.name == "feedback" or "{" in route.path:
        refusals.add(404)
    titles: dict[int, list[str]] = {}
    for known, title in problems.problem_types().values():
        titles.setdefault(int(known), []).append(title)
    for status in sorted(refusals):
        told[str(status)] = {
            "description": "; ".join(titles[status]),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return told

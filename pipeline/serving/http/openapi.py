"""Build the OpenAPI document from the routes and the schema of the loaded model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.serving.http import json_schemas, problems
from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.response_schemas import RESPONSE_SCHEMAS
from pipeline.serving.http.router import path_param_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.schema import Schema
    from pipeline.serving.http.router import Route

__all__ = ["openapi_document"]

_JSON = "application/json"
_BINARY = "application/octet-stream"
_READINESS = "Readiness"  # a probe describes why the server cannot predict, with 503
_TAGS = {
    "predictions": "Predict rows, explain predictions, and record outcomes.",
    "operation": "What the server does and has loaded, for people and programs that watch it.",
    "trials": "Comparisons of two versions in production.",
    "probes": "Whether the process responds and can predict, for schedulers of containers.",
    "kserve_v1": "KServe's first protocol: rows as instances.",
    "open_inference": "The Open Inference Protocol, version 2, for clients of KServe and Triton.",
}


def openapi_document(
    routes: Iterable[Route], schema: Schema | None, *, title: str, version: str, path_values: Mapping[str, str]
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Parameters
    ----------
    routes : iterable of Route
    schema : Schema or None
        Types, bounds, units and examples of the features. With None (no model is loaded), a row is any object.
    title, version : str
    path_values : mapping
        The only accepted value of each named part of a path: name and version of the loaded model.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation_object(route, path_values)
    model_schemas = {
        "Features": json_schemas.features_schema(schema),
        "PredictionRequest": json_schemas.prediction_request_schema(),
        "Batch": json_schemas.batch_schema(),
        "Outcome": json_schemas.outcome_schema(schema),
        "Outcomes": json_schemas.outcomes_schema(),
        "Feedback": json_schemas.feedback_schema(),
        "Explanation": json_schemas.explanation_schema(),
        "Tensor": json_schemas.tensor_schema(schema),
        "Inference": json_schemas.inference_schema(
            model_name=path_values.get("model"), model_version=path_values.get("version")
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "Predictions of the loaded model.",
            "contact": {"name": "The operators of this server"},
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that returned this document"}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**model_schemas, **RESPONSE_SCHEMAS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation_object(route: Route, path_values: Mapping[str, str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": f"{route.summary}. Role of the caller: {route.role}.",
        "x-required-role": route.role,
        **({"x-unlogged-role": route.unlogged_role} if route.unlogged_role else {}),
        "security": [] if route.role == PUBLIC else [{"bearer": []}, {}],
        "responses": _responses(route),
    }
    parameters = [_path_parameter(name, path_values) for name in path_param_names(route.path)]
    parameters += [_PARAMETERS[name] for name in route.parameters]
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": _request_content(route)}
    return operation


def _path_parameter(name: str, path_values: Mapping[str, str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name in path_values:
        schema["enum"] = [path_values[name]]
    return {"name": name, "in": "path", "required": True, "schema": schema}


_PARAMETERS: dict[str, dict[str, Any]] = {
    "log": {
        "name": "log",
        "in": "query",
        "description": "false: the rows are neither logged nor counted; this needs the role viewer, not predict.",
        "schema": {"type": "string", "enum": ["true", "false"], "default": "true"},
    },
    "source": {
        "name": "source",
        "in": "query",
        "description": "The source that the log records; app needs the role viewer, too.",
        "schema": {"type": "string", "enum": ["api", "app"], "default": "api"},
    },
    "on_error": {
        "name": "on_error",
        "in": "query",
        "description": "refuse: an invalid row refuses the batch. partial: valid rows are predicted, others reported.",
        "schema": {"type": "string", "enum": ["refuse", "partial"], "default": "refuse"},
    },
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A retry with the same key gets the stored response.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
    "subject": {
        "name": "X-Subject-Id",
        "in": "header",
        "description": "The person whom the rows describe; erasure uses this id.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
}


def _request_content(route: Route) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{route.request}"}
    return {
        media_type: {"schema": schema if media_type == _JSON else {"type": "string", "format": "binary"}}
        for media_type in route.accepts
        if media_type != _BINARY
    }


def _responses(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{route.response}"}}
    contents = {route.response_media_type: content}
    if _BINARY in route.accepts:
        contents[_BINARY] = {"schema": {"type": "string", "format": "binary"}}
    responses: dict[str, Any] = {"200": {"description": "Done", "content": contents}}
    error_statuses = {400, 403, 503}
    if route.role != PUBLIC:
        error_statuses |= {401, 429}
    if route.request is not None:
        error_statuses |= {408, 413, 415, 422, 409}
    if route.name == "feedback" or "{" in route.path:
        error_statuses.add(404)
    titles: dict[int, list[str]] = {}
    for status_code, title in problems.problem_types().values():
        titles.setdefault(int(status_code), []).append(title)
    for status in sorted(error_statuses):
        responses[str(status)] = {
            "description": "; ".join(titles[status]),
            "content": {
                problems.problem_media_type(route.path).decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    if route.response == _READINESS:
        _add_not_ready(responses["503"]["content"], content)
    return responses


def _add_not_ready(contents: dict[str, Any], content: dict[str, Any]) -> None:
    """Add the response of a server that cannot predict to those of problems, which may have its media type."""
    contents[_JSON] = {"schema": {"$ref": "#/components/schemas/NotReady"}} if _JSON in contents else content

"""Describe the API with types, bounds, examples and units of the schema of the model that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.serving.http import problems, shapes
from pipeline.serving.http.access import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.schema import Schema
    from pipeline.serving.http.operations import Operation

__all__ = ["describe"]

_JSON = "application/json"


def describe(
    operations: Iterable[Operation], schema: Schema | None, *, title: str, version: str, named: Mapping[str, str]
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; without a schema (no model serves) rows are any objects.

    `named` has the only value that a named part of a path takes: the model that serves, and its version.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, named)
    own = {
        "Features": shapes.features(schema),
        "Row": shapes.row(),
        "Batch": shapes.batch(),
        "Outcome": shapes.outcome(schema),
        "Outcomes": shapes.outcomes(),
        "Feedback": shapes.feedback(),
        "Explanation": shapes.explanation(),
        "Tensor": shapes.tensor(schema),
        "Inference": shapes.inference(),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Predictions of the model that serves."},
        "paths": paths,
        "components": {
            "schemas": {**own, **shapes.SHAPES},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, named: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "x-required-role": operation.role,
        "security": [] if operation.role == PUBLIC else [{"bearer": []}, {}],
        "responses": _responses(operation),
    }
    parameters = [_path_parameter(part[1:-1], named) for part in operation.path.split("/") if part.startswith("{")]
    parameters += [_PARAMETERS[name] for name in operation.parameters]
    if parameters:
        told["parameters"] = parameters
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": _content(operation)}
    return told


def _path_parameter(name: str, named: Mapping[str, str]) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "string", "minLength": 1}
    if name in named:
        shape["enum"] = [named[name]]
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


def _content(operation: Operation) -> dict[str, Any]:
    shape = {"$ref": f"#/components/schemas/{operation.body}"}
    return {
        kind: {"schema": shape if kind == _JSON else {"type": "string", "format": "binary"}}
        for kind in operation.accepts
        if kind != "application/octet-stream"
    }


def _responses(operation: Operation) -> dict[str, Any]:
    shape: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{operation.answer}"}} if operation.answer else {}
    told: dict[str, Any] = {"200": {"description": "Done", "content": {operation.answers_with: shape}}}
    refusals = {400, 403, 503}
    if operation.role != PUBLIC:
        refusals |= {401, 429}
    if operation.body is not None:
        refusals |= {408, 413, 415, 422, 409}
    if operation.name == "feedback" or "{" in operation.path:
        refusals.add(404)
    titles: dict[int, list[str]] = {}
    for known, title in problems.kinds().values():
        titles.setdefault(int(known), []).append(title)
    for status in sorted(refusals):
        told[str(status)] = {
            "description": "; ".join(titles[status]),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return told

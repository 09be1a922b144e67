"""JSON Schemas of request and response bodies; those of rows follow the schema of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.schema.constraint_base import merge_json_schemas

if TYPE_CHECKING:
    from pipeline.schema import Column, Schema
    from pipeline.schema.column_kinds import ColumnKind

__all__ = [
    "batch_schema",
    "explanation_schema",
    "features_schema",
    "feedback_schema",
    "inference_schema",
    "outcome_schema",
    "outcomes_schema",
    "prediction_request_schema",
    "tensor_schema",
]

_JSON_TYPES: dict[ColumnKind, str] = {
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "category": "string",
    "text": "string",
    "datetime": "string",
}
# A date or a timestamp, without a time zone.
_TIMESTAMP_PATTERN = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"
_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_STRING = {"type": "string"}
_MAX_EXAMPLES = 50
_COUNT = {"type": "integer", "minimum": 0}


def prediction_request_schema() -> dict[str, Any]:
    """Return the schema of the body of one row: ``{"features": {...}}``."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["features"],
        "properties": {"features": _schema_reference("Features")},
    }


_COMES_ALONG = {"description": "A declared column that is no feature; any value is accepted, and ids are returned."}


def _other_names(schema: Schema) -> list[str]:
    return sorted(schema.accepted_names - set(schema.feature_names))


def features_schema(schema: Schema | None) -> dict[str, Any]:
    """Return the schema of the features of a row."""
    if schema is None:
        return _ANY_OBJECT
    features: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in schema.features if not column.nullable],
        "properties": {
            **{column.name: _feature_schema(column) for column in schema.features},
            **dict.fromkeys(_other_names(schema), _COMES_ALONG),
        },
    }
    examples = {column.name: column.example for column in schema.features if column.example is not None}
    return {**features, "examples": [examples]} if examples else features


def _feature_schema(feature: Column) -> dict[str, Any]:
    types = _json_types(feature)
    sentences = [text for text in (feature.description, f"Unit: {feature.unit}" if feature.unit else None) if text]
    schema: dict[str, Any] = {"title": feature.label, "type": types if len(types) > 1 else types[0]}
    if sentences:
        schema["description"] = ". ".join(sentences)
    if feature.unit:
        schema["x-unit"] = feature.unit
    examples = [] if feature.example is None else [feature.example]
    if feature.accepts_unseen:
        examples += [word for word in feature.categories[:_MAX_EXAMPLES] if word != feature.example]
    if examples:
        schema["examples"] = examples
    schema |= merge_json_schemas(constraint.json_schema() for constraint in feature.constraints)
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], *feature.null_values, *([None] if feature.nullable else [])]
    if feature.kind == "datetime" and not feature.text_format.is_declared:
        schema["pattern"] = _TIMESTAMP_PATTERN
    return schema


def _json_types(feature: Column) -> list[str]:
    """Return the JSON types of a value: texts, too, where their form is declared."""
    types = [_JSON_TYPES[feature.kind]]
    if feature.text_format.is_declared:
        types += ["number"] if feature.kind == "datetime" and feature.format else []
        types += ["string"] if "string" not in types else []
    return [*types, "null"] if feature.nullable else types


def batch_schema() -> dict[str, Any]:
    """Return the schema of the body of many rows: ``{"instances": [{...}, ...]}``."""
    rows = {"type": "array", "minItems": 1, "items": _schema_reference("Features")}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["instances"],
        "properties": {"instances": rows},
    }


def feedback_schema() -> dict[str, Any]:
    """Return the schema of the body of feedback: one outcome, or many under `outcomes`."""
    return {"oneOf": [_schema_reference("Outcome"), _schema_reference("Outcomes")]}


def outcomes_schema() -> dict[str, Any]:
    """Return the schema of the body of many outcomes."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["outcomes"],
        "properties": {"outcomes": {"type": "array", "minItems": 1, "items": _schema_reference("Outcome")}},
    }


def outcome_schema(schema: Schema | None) -> dict[str, Any]:
    """Return the schema of the outcome of one prediction."""
    class_name = {"type": "string", "enum": list(schema.target.classes)} if schema is not None else _STRING
    identifier = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["prediction_id", "outcome"],
        "properties": {"prediction_id": identifier, "outcome": class_name, "source": identifier},
    }


def explanation_schema() -> dict[str, Any]:
    """Return the schema of the body of a row to explain, equal to that of a row to predict."""
    return _schema_reference("PredictionRequest")


def tensor_schema(schema: Schema | None) -> dict[str, Any]:
    """Return the schema of an input tensor of the Open Inference Protocol."""
    name = _STRING if schema is None else {"type": "string", "enum": [*schema.feature_names, *_other_names(schema)]}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": name,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
            "datatype": _STRING,
            "parameters": _ANY_OBJECT,
            "data": {"type": "array", "items": {}},
        },
    }


def inference_schema(*, model_name: str | None = None, model_version: str | None = None) -> dict[str, Any]:
    """Return the schema of an inference request of the Open Inference Protocol; the body may repeat the model."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["inputs"],
        "properties": {
            "id": _STRING,
            **{
                key: {"type": "string", "enum": [value]} if value else _STRING
                for key, value in (("model_name", model_name), ("model_version", model_version))
            },
            "parameters": _ANY_OBJECT,
            "inputs": {"type": "array", "minItems": 1, "items": _schema_reference("Tensor")},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": _STRING}},
            },
        },
    }


def _schema_reference(name: str) -> dict[str, Any]:
    """Return a reference to a named schema; client generators follow no other references."""
    return {"$ref": f"#/components/schemas/{name}"}

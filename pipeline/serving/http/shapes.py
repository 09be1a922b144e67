"""JSON Schemas of what goes in and out of the API; those of rows come from the declared schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.serving.checks import BOUNDING, rules_of

if TYPE_CHECKING:
    from pipeline.schema import Column, Schema
    from pipeline.schema.declaration import Kind

__all__ = [
    "SHAPES",
    "batch",
    "explanation",
    "features",
    "feedback",
    "inference",
    "outcome",
    "outcomes",
    "row",
    "tensor",
]

_TYPES: dict[Kind, str] = {
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "category": "string",
    "text": "string",
    "datetime": "string",
}
# A date or a moment, without a zone.
_MOMENT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$"
_ANY = {"type": "object", "additionalProperties": True}
_WORD = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def row() -> dict[str, Any]:
    """Return the body of one row: ``{"features": {...}}``."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["features"],
        "properties": {"features": _ref("Features")},
    }


def features(schema: Schema | None) -> dict[str, Any]:
    """Return the object of one row's values."""
    if schema is None:
        return _ANY
    shape: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in schema.features if not column.nullable],
        "properties": {column.name: _column(column) for column in schema.features},
    }
    examples = {column.name: column.example for column in schema.features if column.example is not None}
    return {**shape, "examples": [examples]} if examples else shape


def _column(column: Column) -> dict[str, Any]:
    kind = _TYPES[column.kind]
    told = [text for text in (column.description, f"Unit: {column.unit}" if column.unit else None) if text]
    shape: dict[str, Any] = {"title": column.label, "type": [kind, "null"] if column.nullable else kind}
    if told:
        shape["description"] = ". ".join(told)
    if column.unit:
        shape["x-unit"] = column.unit
    if column.example is not None:
        shape["examples"] = [column.example]
    if column.categories:
        shape["enum"] = [*column.categories, *([None] if column.nullable else [])]
    for key, bound in (("minimum", column.minimum), ("maximum", column.maximum)):
        if bound is not None:
            shape[key if _is_within(column, bound) else f"exclusive{key.title()}"] = bound
    if column.kind == "datetime":
        shape["pattern"] = _MOMENT
    return shape


def _is_within(column: Column, bound: float) -> bool:
    """Whether a bound of a column may be a value of it."""
    return all(rule.passes(bound) for rule in rules_of(column) if rule.name in BOUNDING)


def batch() -> dict[str, Any]:
    """Return the body of many rows: ``{"instances": [{...}, ...]}``."""
    rows = {"type": "array", "minItems": 1, "items": _ref("Features")}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["instances"],
        "properties": {"instances": rows},
    }


def feedback() -> dict[str, Any]:
    """Return the body of what was true in the end: one outcome, or many below `outcomes`."""
    return {"oneOf": [_ref("Outcome"), _ref("Outcomes")]}


def outcomes() -> dict[str, Any]:
    """Return the body of many outcomes."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["outcomes"],
        "properties": {"outcomes": {"type": "array", "minItems": 1, "items": _ref("Outcome")}},
    }


def outcome(schema: Schema | None) -> dict[str, Any]:
    """Return what was true in the end of one prediction."""
    known = {"type": "string", "enum": list(schema.target.classes)} if schema is not None else _WORD
    word = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["prediction_id", "outcome"],
        "properties": {"prediction_id": word, "outcome": known, "source": word},
    }


def explanation() -> dict[str, Any]:
    """Return the body of a row to explain: that of a row to predict."""
    return _ref("Row")


def tensor(schema: Schema | None) -> dict[str, Any]:
    """Return one input of the Open Inference Protocol."""
    name = {"type": "string", "enum": list(schema.feature_names)} if schema is not None else _WORD
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": name,
            "shape": {"type": "array", "items": _COUNT, "minItems": 1, "maxItems": 2},
            "datatype": _WORD,
            "parameters": _ANY,
            "data": {"type": "array", "items": {}},
        },
    }


def inference() -> dict[str, Any]:
    """Return the body of the Open Inference Protocol."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["inputs"],
        "properties": {
            "id": _WORD,
            "parameters": _ANY,
            "inputs": {"type": "array", "minItems": 1, "items": _ref("Tensor")},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": _WORD}},
            },
        },
    }


def _ref(name: str) -> dict[str, Any]:
    """Point to a named shape: programs that write clients follow no other pointers."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_PREDICTION: dict[str, dict[str, Any]] = {
    "prediction": _WORD,
    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "probabilities": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}},
    "prediction_id": _WORD,
    "warnings": {"type": "array", "items": _object(column=_WORD, rule=_WORD, message=_WORD)},
}
_SERVED: dict[str, dict[str, Any]] = {
    "model_name": _WORD,
    "model_version": {"type": "integer"},
    "model_digest": _WORD,
    "generation": {"type": "integer"},
    "served_by": _WORD,
}

SHAPES: dict[str, dict[str, Any]] = {
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": _WORD,
            "title": _WORD,
            "status": {"type": "integer"},
            "detail": _WORD,
            "request_id": _WORD,
            "n_problems": _COUNT,
            "problems": {"type": "array", "items": _object(path=_WORD, rule=_WORD, message=_WORD)},
        },
    },
    "Prediction": _object(**_PREDICTION, **_SERVED),
    "Predictions": _object(predictions={"type": "array", "items": {"type": "object"}}),
    "Status": _ANY,
    "Text": _WORD,
}

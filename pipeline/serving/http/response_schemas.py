"""JSON Schemas of responses, and of bodies that do not depend on the model, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

__all__ = ["RESPONSE_SCHEMAS"]

_STRING = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_INTEGER = {"type": "integer"}
_INTEGER_OR_NULL = {"type": ["integer", "null"]}
_NUMBER = {"type": "number"}
_BOOLEAN = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_OBJECT_OR_NULL = {"type": ["object", "null"], "additionalProperties": True}
_VARIANT = {"type": "string", "enum": ["champion", "challenger"]}


def _object_schema(optional: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these required properties; further ones may come with later releases."""
    return {"type": "object", "required": list(properties), "properties": {**properties, **(optional or {})}}


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(name: str) -> dict[str, Any]:
    return {"anyOf": [_reference(name), {"type": "null"}]}


_IDENTITY = {
    "model_name": _STRING,
    "model_version": _INTEGER,
    "model_digest": _STRING,
    "generation": _INTEGER,
    "served_by": _STRING,
}
_PREDICTED_ROW = {
    "prediction": _STRING,
    "confidence": _SHARE,
    "probabilities": {"type": "object", "additionalProperties": _SHARE},
    "prediction_id": _STRING,
    "warnings": _list_of(_reference("Warning")),
}
_TENSOR_HEAD = {"name": _STRING, "datatype": _STRING, "shape": _list_of(_INTEGER)}

_PROBLEMS: dict[str, dict[str, Any]] = {
    "FieldProblem": _object_schema(path=_STRING, rule=_STRING, message=_STRING),
    "Problem": _object_schema(
        {"request_id": _STRING, "n_problems": _COUNT, "problems": _list_of(_reference("FieldProblem"))},
        type=_STRING,
        title=_STRING,
        status=_INTEGER,
        detail=_STRING,
    ),
}

_PREDICTIONS: dict[str, dict[str, Any]] = {
    "Warning": _object_schema(feature=_STRING, rule=_STRING, message=_STRING),
    "Prediction": _object_schema({"ids": _ANY_OBJECT}, **_PREDICTED_ROW, **_IDENTITY, variant=_VARIANT),
    "PredictedRow": _object_schema({"ids": _ANY_OBJECT}, **_PREDICTED_ROW),
    "RefusedRow": _object_schema(problems=_list_of(_reference("FieldProblem"))),
    "Predictions": _object_schema(
        predictions=_list_of({"anyOf": [_reference("PredictedRow"), _reference("RefusedRow")]}),
        n_refused=_COUNT,
        **_IDENTITY,
        variant=_VARIANT,
    ),
    "Contribution": _object_schema(feature=_STRING, contribution=_NUMBER),
    "ExplainedPrediction": _object_schema(
        prediction=_STRING,
        confidence=_SHARE,
        method=_STRING,
        unit=_STRING,
        contributions=_list_of(_reference("Contribution")),
    ),
    "ExplainedPredictions": _object_schema(explanations=_list_of(_reference("ExplainedPrediction"))),
    "Variation": _object_schema(
        feature=_STRING, value=_STRING, probability=_SHARE, prediction=_STRING, is_present=_BOOLEAN
    ),
    "VariedPredictions": _object_schema(prediction=_STRING, unit=_STRING, variations=_list_of(_reference("Variation"))),
    "StoredOutcomes": _object_schema(stored=_COUNT),
}

_OPERATION: dict[str, dict[str, Any]] = {
    "Index": _object_schema(
        status=_STRING,
        service=_STRING,
        release=_STRING,
        name=_STRING,
        stage=_STRING,
        ready=_BOOLEAN,
        reason=_TEXT_OR_NULL,
        model=_or_null("ModelIdentity"),
        deployed_at=_TEXT_OR_NULL,
        links={"type": "object", "additionalProperties": _STRING},
    ),
    "Liveness": _object_schema(live=_BOOLEAN),
    "Readiness": _object_schema(
        {"reason": _TEXT_OR_NULL, "name": _STRING, **_IDENTITY},
        status={"type": "string", "enum": ["ok", "unavailable"]},
        ready=_BOOLEAN,
    ),
    "NotReady": {"anyOf": [_reference("Readiness"), _reference("Problem")]},
    "ModelIdentity": _object_schema(**_IDENTITY),
    "ModelDescription": _object_schema(
        **_IDENTITY,
        classes=_list_of(_STRING),
        schema=_ANY_OBJECT,
        card=_STRING,
        metrics=_ANY_OBJECT,
        lineage=_ANY_OBJECT,
    ),
    "Models": _object_schema(
        models=_list_of(_STRING), active=_or_null("ModelDescription"), previous=_or_null("ModelIdentity")
    ),
    "ComponentStatus": _object_schema(
        name=_STRING,
        state=_STRING,
        condition=_STRING,
        summary=_STRING,
        sentence=_STRING,
        next_step=_STRING,
        since=_INTEGER_OR_NULL,
    ),
    "ProductionStatus": _object_schema(
        model=_STRING,
        checked_at=_INTEGER,
        state=_STRING,
        sentence=_STRING,
        since=_INTEGER_OR_NULL,
        components={"type": "object", "additionalProperties": _reference("ComponentStatus")},
    ),
    "LogStatus": _object_schema(
        mode=_STRING,
        is_failing=_BOOLEAN,
        last_error=_TEXT_OR_NULL,
        retention_error=_TEXT_OR_NULL,
        commit_duration_s=_ANY_OBJECT,
        n_logged=_COUNT,
        n_unlogged=_COUNT,
        n_opted_out=_COUNT,
        n_batches=_COUNT,
        n_failures=_COUNT,
    ),
    "ServerStatus": _object_schema(
        production=_reference("ProductionStatus"),
        model=_STRING,
        stage=_STRING,
        is_ready=_BOOLEAN,
        reason=_TEXT_OR_NULL,
        poll_error=_TEXT_OR_NULL,
        uptime_s=_NUMBER,
        active=_OBJECT_OR_NULL,
        previous=_OBJECT_OR_NULL,
        trial=_OBJECT_OR_NULL,
        live_trial=_OBJECT_OR_NULL,
        queue_rows=_COUNT,
        log=_reference("LogStatus"),
        n_rows=_COUNT,
        by_class=_ANY_OBJECT,
        confidence=_ANY_OBJECT,
        http={"type": "object", "additionalProperties": _NUMBER},
        shed=_COUNT,
    ),
    "Trial": _object_schema(
        {"traffic": _OBJECT_OR_NULL},
        seq=_INTEGER,
        model=_STRING,
        purpose=_STRING,
        method=_STRING,
        state=_STRING,
        champion=_INTEGER,
        challenger=_INTEGER,
        step=_COUNT,
        share=_SHARE,
        opened_at=_INTEGER,
        opened_by=_STRING,
        decided_at=_INTEGER_OR_NULL,
        proposal=_TEXT_OR_NULL,
        settings=_ANY_OBJECT,
        evidence=_ANY_OBJECT,
    ),
    "Trials": _object_schema(trials=_list_of(_reference("Trial"))),
    "TrialStop": {
        "type": "object",
        "additionalProperties": False,
        "required": ["reason"],
        "properties": {
            "reason": {"type": "string", "minLength": 1, "maxLength": 500, "pattern": r"^[^\u0000-\u001f\u007f]+$"}
        },
    },
    "OpenApiDocument": _ANY_OBJECT,
    "Text": _STRING,
}

_OPEN_INFERENCE: dict[str, dict[str, Any]] = {
    "ServerMetadata": _object_schema(name=_STRING, version=_STRING, extensions=_list_of(_STRING)),
    "TensorMetadata": _object_schema({"parameters": _ANY_OBJECT}, **_TENSOR_HEAD),
    "ModelMetadata": _object_schema(
        name=_STRING,
        versions=_list_of(_STRING),
        platform=_STRING,
        inputs=_list_of(_reference("TensorMetadata")),
        outputs=_list_of(_reference("TensorMetadata")),
    ),
    "OutputTensor": _object_schema({"parameters": _ANY_OBJECT, "data": _list_of({})}, **_TENSOR_HEAD),
    "InferenceResponse": _object_schema(
        {"id": _STRING, "parameters": _ANY_OBJECT},
        model_name=_STRING,
        model_version=_STRING,
        outputs=_list_of(_reference("OutputTensor")),
    ),
}

RESPONSE_SCHEMAS: dict[str, dict[str, Any]] = {**_PROBLEMS, **_PREDICTIONS, **_OPERATION, **_OPEN_INFERENCE}

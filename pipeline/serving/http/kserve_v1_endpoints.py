"""The endpoints of KServe's first protocol: rows in `instances`, predictions in `predictions`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.engine_responses import readiness_response, require_model, require_named_model, to_json
from pipeline.serving.http.messages import LOG_QUERY_PARAMS, HttpResponse
from pipeline.serving.http.router import JSON_ONLY, route
from pipeline.serving.rows.row_parser import check_comma_count, max_commas_per_row, parse_json
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, InvalidRequest

if TYPE_CHECKING:
    from pipeline.schema import Schema
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.http.messages import HttpRequest

__all__ = ["KserveV1Endpoints", "rows_as_objects"]

_MODEL = "/v1/models/{model}"
_LOG_PARAMETERS = (*LOG_QUERY_PARAMS, "idempotency_key", "subject")
_MAX_EXPLAINED_ROWS = 100  # an explanation takes as long as a few hundred predictions
_MAX_NAMES = 20  # of features in a message


class _Rows(msgspec.Struct):
    instances: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class KserveV1Endpoints:
    """The first protocol's endpoints of one engine; a request has at most `max_rows` rows."""

    engine: Engine
    server_status: ServerStatus
    max_rows: int

    @route(
        "GET",
        _MODEL,
        name="v1_model_ready",
        role=PUBLIC,
        tag="kserve_v1",
        response="Readiness",
        summary="Report whether the model can predict",
    )
    async def model_ready(self, request: HttpRequest) -> HttpResponse:
        """Report whether this model can predict."""
        model = require_named_model(self.engine, request.path_params)
        return readiness_response(self.engine, self.server_status, {"name": model.name})

    @route(
        "POST",
        f"{_MODEL}:predict",
        name="v1_predict",
        role="predict",
        accepts=JSON_ONLY,
        tag="kserve_v1",
        request="Batch",
        response="Predictions",
        parameters=_LOG_PARAMETERS,
        query_params=LOG_QUERY_PARAMS,
        unlogged_role="viewer",
        allows_missing_content_type=True,
        summary="Predict rows, each an object or a list of the features in order",
    )
    async def v1_predict(self, request: HttpRequest) -> HttpResponse:
        """Predict rows, as `POST /predict/batch` does."""
        body = await self._read_rows(request)
        return HttpResponse(await self.engine.predict_batch(body, request.log_options()))

    @route(
        "POST",
        f"{_MODEL}:explain",
        name="v1_explain",
        role="predict",
        accepts=JSON_ONLY,
        tag="kserve_v1",
        request="Batch",
        response="ExplainedPredictions",
        unlogged_role="viewer",
        allows_missing_content_type=True,
        summary="Return the contribution of each feature, for up to 100 rows",
    )
    async def v1_explain(self, request: HttpRequest) -> HttpResponse:
        """Explain rows, each as `POST /v1/explain` does."""
        body = await self._read_rows(request)
        max_commas = self.max_rows * max_commas_per_row(require_model(self.engine).schema)
        rows = await run_in_thread_if_large(len(body), _parse_rows, body, max_commas=max_commas)
        explanations = []
        for number, row in enumerate(rows):
            try:
                explanations.append(msgspec.Raw(await self.engine.explain(json.dumps({"features": row}).encode())))
            except InvalidRequest as error:
                raise InvalidRequest(_at_instance(fault, number) for fault in error.errors) from error
        return HttpResponse(to_json({"explanations": explanations}))

    async def _read_rows(self, request: HttpRequest) -> bytes:
        schema = require_named_model(self.engine, request.path_params).schema
        size = len(request.body)
        return await run_in_thread_if_large(size, rows_as_objects, request.body, schema, max_rows=self.max_rows)


def rows_as_objects(body: bytes, schema: Schema, *, max_rows: int) -> bytes:
    """Return a body with an object for each row; a row that is a list has its features in the order of the schema.

    A body without such a row is returned as it is, valid or not.

    Raises
    ------
    MalformedBody, BodyTooLarge
        When the body is no strict JSON, or has too many values.
    InvalidRequest
        When a list has another number of values than the model has features.
    """
    max_commas = max_rows * max_commas_per_row(schema)
    check_comma_count(body, max_commas)
    try:
        rows = msgspec.json.decode(body, type=_Rows).instances
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    if not any(bytes(row).lstrip().startswith(b"[") for row in rows):
        return body
    document = parse_json(body, max_commas=max_commas)
    document["instances"] = [
        _as_object(row, schema, number) if isinstance(row, list) else row
        for number, row in enumerate(document["instances"])
    ]
    return json.dumps(document).encode()


def _as_object(row: list[Any], schema: Schema, number: int) -> dict[str, Any]:
    names = schema.feature_names
    if len(row) != len(names):
        order = ", ".join(names[:_MAX_NAMES])
        message = f"has {len(row)} values; expected {len(names)}, in the order {order}"
        raise InvalidRequest.for_field(f"instances[{number}]", "shape", message)
    return dict(zip(names, row, strict=True))


def _parse_rows(body: bytes, *, max_commas: int) -> list[Any]:
    document = parse_json(body, max_commas=max_commas)
    rows = document.get("instances") if isinstance(document, dict) and len(document) == 1 else None
    if not isinstance(rows, list) or not rows:
        message = 'expected {"instances": [...]} with an object or a list of values for each row'
        raise InvalidRequest.for_field("body", "type", message)
    if len(rows) > _MAX_EXPLAINED_ROWS:
        message = f"at most {_MAX_EXPLAINED_ROWS} rows at a time are explained"
        raise BodyTooLarge.for_field("instances", "rows", message)
    return rows


def _at_instance(fault: FieldError, number: int) -> FieldError:
    return FieldError(f"instances[{number}]{fault.path.removeprefix('features')}", fault.rule, fault.message)

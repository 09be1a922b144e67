"""The endpoints of the Open Inference Protocol, version 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.project.stage_digests import DISTRIBUTION, engine_version
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.http import open_inference
from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.engine_responses import check_model_names, readiness_response, require_named_model, to_json
from pipeline.serving.http.inference_outputs import model_metadata
from pipeline.serving.http.messages import LOG_QUERY_PARAMS, HttpResponse
from pipeline.serving.http.router import JSON_ONLY, route

if TYPE_CHECKING:
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.http.messages import HttpRequest

__all__ = ["OpenInferenceEndpoints"]

_TENSOR_MEDIA_TYPES = (*JSON_ONLY, "application/octet-stream")
# Each endpoint of a model exists with and without a version.
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"


@dataclass(frozen=True, slots=True)
class OpenInferenceEndpoints:
    """The protocol's endpoints of one engine; a request has at most `max_rows` rows."""

    engine: Engine
    server_status: ServerStatus
    max_rows: int

    @route(
        "GET",
        "/v2",
        name="v2_server",
        role=PUBLIC,
        tag="open_inference",
        response="ServerMetadata",
        summary="Return name and version of the server",
    )
    async def v2_server_metadata(self, _request: HttpRequest) -> HttpResponse:
        """Name the server."""
        body = {"name": DISTRIBUTION, "version": engine_version(), "extensions": ["binary_tensor_data"]}
        return HttpResponse(to_json(body))

    @route(
        "GET",
        _MODEL,
        name="v2_model",
        role="viewer",
        tag="open_inference",
        response="ModelMetadata",
        summary="Return inputs and outputs of the model",
    )
    @route(
        "GET",
        _VERSION,
        name="v2_version",
        role="viewer",
        tag="open_inference",
        response="ModelMetadata",
        summary="Return inputs and outputs of the model",
    )
    async def v2_model_metadata(self, request: HttpRequest) -> HttpResponse:
        """Describe the tensors of the model."""
        model = require_named_model(self.engine, request.path_params)
        return HttpResponse(to_json(model_metadata(model.name, str(model.version), model.schema)))

    @route(
        "GET",
        f"{_MODEL}/ready",
        name="v2_model_ready",
        role=PUBLIC,
        tag="open_inference",
        response="Readiness",
        summary="Report whether the model can predict",
    )
    @route(
        "GET",
        f"{_VERSION}/ready",
        name="v2_version_ready",
        role=PUBLIC,
        tag="open_inference",
        response="Readiness",
        summary="Report whether the model can predict",
    )
    async def v2_model_ready(self, request: HttpRequest) -> HttpResponse:
        """Report whether this model can predict."""
        model = require_named_model(self.engine, request.path_params)
        return readiness_response(self.engine, self.server_status, {"name": model.name})

    @route(
        "POST",
        f"{_MODEL}/infer",
        name="v2_model_infer",
        role="predict",
        accepts=_TENSOR_MEDIA_TYPES,
        tag="open_inference",
        request="Inference",
        response="InferenceResponse",
        parameters=LOG_QUERY_PARAMS,
        query_params=LOG_QUERY_PARAMS,
        unlogged_role="viewer",
        allows_missing_content_type=True,
        summary="Predict the rows of tensors",
    )
    @route(
        "POST",
        f"{_VERSION}/infer",
        name="v2_version_infer",
        role="predict",
        accepts=_TENSOR_MEDIA_TYPES,
        tag="open_inference",
        request="Inference",
        response="InferenceResponse",
        parameters=LOG_QUERY_PARAMS,
        query_params=LOG_QUERY_PARAMS,
        unlogged_role="viewer",
        allows_missing_content_type=True,
        summary="Predict the rows of tensors",
    )
    async def v2_infer(self, request: HttpRequest) -> HttpResponse:
        """Predict the rows of tensors."""
        model = require_named_model(self.engine, request.path_params)
        inference = await run_in_thread_if_large(
            len(request.body),
            open_inference.parse_request,
            request.body,
            request.headers.get(open_inference.JSON_LENGTH_HEADER),
            model.schema,
            max_rows=self.max_rows,
        )
        # KServe's client repeats the name of the path in the body.
        check_model_names(model, inference.model_name or model.name, inference.model_version or None)
        predictions = await self.engine.predict_columns(
            inference.columns, request.log_options(), is_pinned="version" in request.path_params
        )
        body, json_length = open_inference.build_response(
            inference, predictions, name=model.name, classes=model.classes
        )
        if json_length is None:
            return HttpResponse(body)
        headers = [(open_inference.JSON_LENGTH_HEADER, str(json_length).encode())]
        return HttpResponse(body, media_type=b"application/octet-stream", headers=headers)

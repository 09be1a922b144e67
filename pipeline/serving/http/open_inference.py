"""The Open Inference Protocol, version 2: a tensor for each feature, in JSON or as binary data after the JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.http.inference_outputs import encode_binary, output_tensors, requested_outputs
from pipeline.serving.http.inference_tensors import BINARY_SIZE, InputTensor, feature_columns
from pipeline.serving.rows.row_parser import check_comma_count, max_commas_per_row, parse_json
from pipeline.serving.serving_errors import InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.prediction_types import PredictionBatch

__all__ = ["JSON_LENGTH_HEADER", "InferenceRequest", "build_response", "parse_request"]

JSON_LENGTH_HEADER = b"inference-header-content-length"


class _RequestedOutput(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: dict[str, Any] = {}


class _RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[InputTensor]
    id: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[_RequestedOutput] | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A parsed request: columns of Python values, and the requested outputs (True: as binary data).

    `model_name` and `model_version` are what the body has beside the path; KServe's client repeats the name there.
    """

    id: str | None
    columns: Mapping[str, Sequence[Any]]
    outputs: Mapping[str, bool]
    model_name: str | None = None
    model_version: str | None = None


def parse_request(body: bytes, header_length: bytes | None, schema: Schema, *, max_rows: int) -> InferenceRequest:
    """Return the parsed body of a request.

    Raises
    ------
    MalformedBody
        When the body is not JSON, or its binary part does not match the JSON.
    InvalidRequest
        When it is not a request of the protocol, or one of its tensors is not declared.
    BodyTooLarge
        When it has too many rows or values.
    """
    head, tail = _split_binary(body, header_length)
    max_commas = max_rows * max_commas_per_row(schema)
    check_comma_count(head, max_commas)
    try:
        request = _parse_fast(head) or msgspec.convert(parse_json(head, max_commas=max_commas), _RequestBody)
        (request.id or "").encode()
    except msgspec.ValidationError as error:
        raise InvalidRequest.for_field("body", "type", str(error)) from error
    except UnicodeError as error:
        raise MalformedBody.for_field(
            "body", "utf-8", "contains half of a surrogate pair; expected text in UTF-8"
        ) from error
    columns = feature_columns(request.inputs, tail, schema, max_rows=max_rows)
    asked = [(output.name, output.parameters) for output in request.outputs or ()]
    outputs = requested_outputs(asked, request.parameters, schema.target.classes)
    return InferenceRequest(request.id, columns, outputs, request.model_name, request.model_version)


def _parse_fast(head: bytes) -> _RequestBody | None:
    """Return the request of a valid body; None if a key may be repeated: there are more colons than keys."""
    try:
        plain = msgspec.json.decode(head)
        request = msgspec.convert(plain, _RequestBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    parts = [plain, *plain["inputs"], *(plain.get("outputs") or [])]
    n_keys = sum(len(part) + len(part.get("parameters", ())) for part in parts)
    return request if head.count(b":") == n_keys else None


def _split_binary(body: bytes, header_length: bytes | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not header_length.isdigit() or len(header_length) > 9 or int(header_length) > len(body):
        raise MalformedBody.for_field(
            "Inference-Header-Content-Length", "header", "is the number of bytes of the JSON part"
        )
    at = int(header_length)
    return body[:at], body[at:]


def build_response(
    request: InferenceRequest, predictions: PredictionBatch, *, name: str, classes: Sequence[str]
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON part if binary data follow, otherwise None."""
    outputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for output in output_tensors([*request.outputs], predictions, classes):
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        parameters: dict[str, Any] = {**output.parameters}
        if request.outputs[output.name]:
            data = encode_binary(output)
            parameters[BINARY_SIZE] = len(data)
            tail.append(data)
        else:
            tensor["data"] = list(output.values)
        if parameters:
            tensor["parameters"] = parameters
        outputs.append(tensor)
    body: dict[str, Any] = {
        "model_name": name,
        "model_version": str(predictions.model_version),
        "parameters": {"variant": predictions.variant},
        "outputs": outputs,
    }
    if request.id is not None:
        body["id"] = request.id
    head = msgspec.json.encode(body)
    return head + b"".join(tail), len(head) if tail else None

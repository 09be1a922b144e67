"""The Open Inference Protocol, version 2: a tensor for each feature, in JSON or as binary data after the JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pipeline.serving.rows.row_parser import check_comma_count, max_commas_per_row, parse_json
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Column, Schema
    from pipeline.serving.prediction_types import PredictionBatch

__all__ = ["JSON_LENGTH_HEADER", "InferenceRequest", "build_response", "model_metadata", "parse_request"]

JSON_LENGTH_HEADER = b"inference-header-content-length"
_MAX_NAMES = 20  # of columns in a message

_NUMPY_TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_DATATYPES = {
    "integer": "INT64",
    "float": "FP64",
    "boolean": "BOOL",
    "category": "BYTES",
    "text": "BYTES",
    "datetime": "BYTES",
}
_OUTPUT_DATATYPES = {
    "prediction": "BYTES",
    "probabilities": "FP64",
    "confidence": "FP64",
    "prediction_id": "BYTES",
    "warnings": "BYTES",
}


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class _RequestedOutput(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: dict[str, Any] = {}


class _RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Tensor]
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


def model_metadata(name: str, version: str, schema: Schema) -> dict[str, Any]:
    """Return the metadata of a model, as the protocol defines them."""
    inputs = [{"name": column.name, "datatype": _DATATYPES[column.kind], "shape": [-1]} for column in schema.features]
    classes = schema.target.classes
    outputs: list[dict[str, Any]] = [
        {"name": output, "datatype": datatype, "shape": [-1]} for output, datatype in _OUTPUT_DATATYPES.items()
    ]
    for output in outputs:
        if output["name"] == "probabilities":
            output |= {"shape": [-1, len(classes)], "parameters": _class_labels(classes)}
    return {"name": name, "versions": [version], "platform": "mlops_onnx", "inputs": inputs, "outputs": outputs}


def _class_labels(classes: Sequence[str]) -> dict[str, str]:
    """Return the parameter that names the columns of `probabilities`; the protocol allows no lists there."""
    return {"labels": msgspec.json.encode(list(classes)).decode()}


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
    columns = _feature_columns(request.inputs, tail, schema, max_rows)
    outputs = _requested_outputs(request)
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


def _requested_outputs(request: _RequestBody) -> dict[str, bool]:
    is_binary = request.parameters.get("binary_data_output") is True
    if not request.outputs:
        return dict.fromkeys(_OUTPUT_DATATYPES, is_binary)
    unknown = [output.name for output in request.outputs if output.name not in _OUTPUT_DATATYPES]
    if unknown:
        raise InvalidRequest.for_field("outputs", "unknown", f"outputs are {', '.join(_OUTPUT_DATATYPES)}")
    return {output.name: output.parameters.get("binary_data", is_binary) is True for output in request.outputs}


def _feature_columns(tensors: list[_Tensor], tail: bytes, schema: Schema, max_rows: int) -> dict[str, list[Any]]:
    if len(tensors) == 1 and _is_matrix(tensors[0], schema):
        return _matrix_columns(tensors[0], tail, schema, max_rows)
    kinds = {column.name: column for column in schema.features}
    columns: dict[str, list[Any]] = {}
    names: set[str] = set()
    n_rows: int | None = None
    at = 0
    for number, tensor in enumerate(tensors):
        where = f"inputs[{number}]"
        column = kinds.get(tensor.name)
        if column is None and tensor.name not in schema.accepted_names:
            raise InvalidRequest.for_field(where, "unknown", schema.unknown_name_message(tensor.name))
        if tensor.name in names:
            raise InvalidRequest.for_field(where, "duplicate", f"{tensor.name} is given twice")
        names.add(tensor.name)
        n = _count_rows(tensor, where)
        if n_rows is not None and n != n_rows:
            raise InvalidRequest.for_field(f"{where}.shape", "shape", f"has {n} rows; the first tensor has {n_rows}")
        n_rows = n
        values, at = _tensor_values(tensor, column, n, where, tail, at)
        if column is not None:
            columns[tensor.name] = values
    if n_rows is not None and n_rows > max_rows:
        raise BodyTooLarge.for_field("inputs[0].shape", "rows", f"at most {max_rows:,} rows at a time")
    if at != len(tail):
        raise MalformedBody.for_field("body", "binary", "the binary part is longer than its tensors")
    return columns


def _is_matrix(tensor: _Tensor, schema: Schema) -> bool:
    """Return whether a tensor has all features of its rows: [n, k] under a name that is no column."""
    return len(tensor.shape) == 2 and tensor.shape[0] > 0 and tensor.name not in schema.accepted_names


def _matrix_columns(tensor: _Tensor, tail: bytes, schema: Schema, max_rows: int) -> dict[str, list[Any]]:
    """Return the columns of one tensor with a row of numbers for each row, in the order of the features."""
    n_rows, n_columns = tensor.shape
    words = [column.name for column in schema.features if column.kind not in ("integer", "float")]
    if words:
        message = f"expected a tensor for each feature, because {', '.join(words[:_MAX_NAMES])} are not numbers"
        raise InvalidRequest.for_field("inputs[0]", "datatype", message)
    if n_columns != len(schema.features):
        names = ", ".join(schema.feature_names[:_MAX_NAMES])
        message = f"has {n_columns} columns; expected {len(schema.features)}, in the order {names}"
        raise InvalidRequest.for_field("inputs[0].shape", "shape", message)
    if n_rows > max_rows:
        raise BodyTooLarge.for_field("inputs[0].shape", "rows", f"at most {max_rows:,} rows at a time")
    values, at = _raw_values(tensor, n_rows * n_columns, "inputs[0]", tail, 0)
    if at != len(tail):
        raise MalformedBody.for_field("body", "binary", "the binary part is longer than its tensors")
    if values and isinstance(values[0], list):
        values = [value for row in values if isinstance(row, list) for value in row]
    if len(values) != n_rows * n_columns:
        message = f"has {len(values)} values; its shape has {n_rows * n_columns}"
        raise InvalidRequest.for_field("inputs[0]", "shape", message)
    return {name: values[at::n_columns] for at, name in enumerate(schema.feature_names)}


def _raw_values(tensor: _Tensor, n_values: int, location: str, tail: bytes, offset: int) -> tuple[list[Any], int]:
    """Return the values of a tensor as they were sent, and the offset of the next tensor in the binary part."""
    if "binary_data_size" not in tensor.parameters:
        if tensor.data is None:
            raise InvalidRequest.for_field(location, "missing", "data is missing")
        return tensor.data, offset
    size = _binary_size(tensor, location, tail, offset)
    data = tail[offset : offset + size]
    return _decode_binary(tensor.datatype, data, n_values, location), offset + size


def _binary_size(tensor: _Tensor, location: str, tail: bytes, offset: int) -> int:
    size = tensor.parameters["binary_data_size"]
    if type(size) is not int or not 0 <= size <= len(tail) - offset:
        raise MalformedBody.for_field(location, "binary", "binary_data_size is the number of bytes of the tensor")
    return size


def _count_rows(tensor: _Tensor, location: str) -> int:
    shape = tensor.shape
    if len(shape) not in (1, 2) or shape[0] < 1 or (len(shape) == 2 and shape[1] != 1):
        raise InvalidRequest.for_field(f"{location}.shape", "shape", "expected [n] or [n, 1] with n of at least 1")
    return shape[0]


def _tensor_values(
    tensor: _Tensor, column: Column | None, n_rows: int, location: str, tail: bytes, offset: int
) -> tuple[list[Any], int]:
    """Return the values of a tensor, and the offset of the next tensor in the binary part.

    A tensor of any datatype and content is accepted where `column` is None: it is declared and no feature.
    """
    if tensor.datatype not in _NUMPY_TYPES and tensor.datatype != "BYTES":
        accepted = ", ".join([*_NUMPY_TYPES, "BYTES"])
        raise InvalidRequest.for_field(f"{location}.datatype", "datatype", f"expected one of {accepted}")
    has_other_form = column is not None and (_DATATYPES[column.kind] == "BYTES") is not (tensor.datatype == "BYTES")
    # The words of a category may be codes, and a column may declare how its texts read.
    is_typed = column is not None and column.kind != "category" and not column.text_format.is_declared
    if column is not None and has_other_form and is_typed:
        raise InvalidRequest.for_field(
            f"{location}.datatype", "datatype", f"{column.name} is {_DATATYPES[column.kind]}"
        )
    if column is None and "binary_data_size" in tensor.parameters:
        return [None] * n_rows, offset + _binary_size(tensor, location, tail, offset)
    values, offset = _raw_values(tensor, n_rows, location, tail, offset)
    if len(tensor.shape) == 2 and list in set(map(type, values)):
        values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    if column is not None and tensor.datatype == "BYTES" and "" not in (column.categories or ()):
        # Binary data have no null: a text without characters is missing, as an empty cell of CSV is.
        values = [None if value == "" else value for value in values]
    if len(values) != n_rows:
        raise InvalidRequest.for_field(location, "shape", f"has {len(values)} values; its shape has {n_rows}")
    return values, offset


def _decode_binary(datatype: str, data: bytes, n_rows: int, location: str) -> list[Any]:
    if datatype == "BYTES":
        return _decode_strings(data, location)
    kind = np.dtype(_NUMPY_TYPES[datatype])
    if len(data) != n_rows * kind.itemsize:
        raise MalformedBody.for_field(location, "binary", "its number of bytes does not match shape and datatype")
    values: list[Any] = np.frombuffer(data, kind).tolist()
    return values


def _decode_strings(data: bytes, location: str) -> list[Any]:
    words, at = [], 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if end > len(data):
            raise MalformedBody.for_field(
                location, "binary", "expected for each string its length in 4 bytes, little-endian, and its bytes"
            )
        try:
            words.append(data[at + 4 : end].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise MalformedBody.for_field(location, "utf-8", "expected strings in UTF-8") from error
        at = end
    return words


def build_response(
    request: InferenceRequest, predictions: PredictionBatch, *, name: str, classes: Sequence[str]
) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON part if binary data follow, otherwise None."""
    values_by_output: dict[str, Sequence[Any]] = {
        "prediction": predictions.predictions,
        "probabilities": predictions.probabilities,
        "confidence": predictions.confidences,
        "prediction_id": predictions.prediction_ids,
        "warnings": predictions.warnings,
    }
    outputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for output, is_binary in request.outputs.items():
        values = values_by_output[output]
        tensor: dict[str, Any] = {"name": output, "datatype": _OUTPUT_DATATYPES[output], "shape": _output_shape(values)}
        if output == "probabilities":
            tensor["parameters"] = _class_labels(classes)
        if is_binary:
            data = _encode_binary(values, _OUTPUT_DATATYPES[output])
            tensor["parameters"] = {**tensor.get("parameters", {}), "binary_data_size": len(data)}
            tail.append(data)
        else:
            tensor["data"] = _flatten(values)
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


def _output_shape(values: Sequence[Any]) -> list[int]:
    return [len(values), len(values[0])] if values and isinstance(values[0], list) else [len(values)]


def _flatten(values: Sequence[Any]) -> list[Any]:
    return [value for row in values for value in row] if values and isinstance(values[0], list) else list(values)


def _encode_binary(values: Sequence[Any], datatype: str) -> bytes:
    if datatype == "BYTES":
        strings = [str(value).encode() for value in values]
        return b"".join([len(string).to_bytes(4, "little") + string for string in strings])
    return np.asarray(_flatten(values), "<f8").tobytes()

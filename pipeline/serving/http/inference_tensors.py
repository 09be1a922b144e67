"""Turn input tensors of the Open Inference Protocol into columns of values: one for each feature, or one for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Column, Schema

__all__ = ["BINARY_SIZE", "DATATYPES", "InputTensor", "check_parameters", "feature_columns"]

BINARY_SIZE = "binary_data_size"
_MAX_NAMES = 20  # of columns in a message

_NUMPY_TYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = {
    "integer": "INT64",
    "float": "FP64",
    "boolean": "BOOL",
    "category": "BYTES",
    "text": "BYTES",
    "datetime": "BYTES",
}
# Parameters of Triton's extensions that change which values are read or returned. Others have no effect.
_EXTENSIONS = {"classification": "classification", "shared_memory_region": "shared memory"}


class InputTensor(msgspec.Struct, forbid_unknown_fields=True):
    """An input of a request; `binary_data_size` of its parameters says that its values are in the binary part."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


def check_parameters(parameters: Mapping[str, Any], location: str) -> None:
    """Refuse a parameter of an extension that this server does not have.

    Raises
    ------
    InvalidRequest
    """
    for name, extension in _EXTENSIONS.items():
        if name in parameters:
            message = f"the extension {extension} does not exist here; send the request without {name}"
            raise InvalidRequest.for_field(f"{location}.parameters", "extension", message)


def feature_columns(
    tensors: Sequence[InputTensor], tail: bytes, schema: Schema, *, max_rows: int
) -> dict[str, list[Any]]:
    """Return the values of each feature that tensors have, by name.

    Parameters
    ----------
    tensors : sequence of InputTensor
    tail : bytes
        The values of the tensors with `binary_data_size`, one tensor after the other.
    schema : Schema
    max_rows : int

    Raises
    ------
    MalformedBody
        When the binary part does not match the tensors.
    InvalidRequest
        When a tensor is not declared, or differs from its declaration.
    BodyTooLarge
        When the tensors have more than `max_rows` rows.
    """
    for number, tensor in enumerate(tensors):
        check_parameters(tensor.parameters, f"inputs[{number}]")
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
        _check_row_count(n, max_rows)
        values, at = _tensor_values(tensor, column, n, where, tail, at)
        if column is not None:
            columns[tensor.name] = values
    if at != len(tail):
        raise MalformedBody.for_field("body", "binary", "the binary part is longer than its tensors")
    return columns


def _check_row_count(n_rows: int, max_rows: int) -> None:
    """Refuse too many rows before any value is read: a shape is a claim, of any size."""
    if n_rows > max_rows:
        raise BodyTooLarge.for_field("inputs[0].shape", "rows", f"at most {max_rows:,} rows at a time")


def _is_matrix(tensor: InputTensor, schema: Schema) -> bool:
    """Return whether a tensor has all features of its rows: [n, k] under a name that is no column."""
    return len(tensor.shape) == 2 and tensor.shape[0] > 0 and tensor.name not in schema.accepted_names


def _matrix_columns(tensor: InputTensor, tail: bytes, schema: Schema, max_rows: int) -> dict[str, list[Any]]:
    """Return the columns of one tensor with a row of numbers for each row, in the order of the features."""
    n_rows, n_columns = tensor.shape
    _check_datatype(tensor, "inputs[0]")
    words = [column.name for column in schema.features if column.kind not in ("integer", "float")]
    if words:
        message = f"expected a tensor for each feature, because {', '.join(words[:_MAX_NAMES])} are not numbers"
        raise InvalidRequest.for_field("inputs[0]", "datatype", message)
    if n_columns != len(schema.features):
        names = ", ".join(schema.feature_names[:_MAX_NAMES])
        message = f"has {n_columns} columns; expected {len(schema.features)}, in the order {names}"
        raise InvalidRequest.for_field("inputs[0].shape", "shape", message)
    _check_row_count(n_rows, max_rows)
    values, at = _raw_values(tensor, n_rows * n_columns, "inputs[0]", tail, 0)
    if at != len(tail):
        raise MalformedBody.for_field("body", "binary", "the binary part is longer than its tensors")
    if values and isinstance(values[0], list):
        values = [value for row in values if isinstance(row, list) for value in row]
    if len(values) != n_rows * n_columns:
        message = f"has {len(values)} values; its shape has {n_rows * n_columns}"
        raise InvalidRequest.for_field("inputs[0]", "shape", message)
    return {name: values[at::n_columns] for at, name in enumerate(schema.feature_names)}


def _raw_values(tensor: InputTensor, n_values: int, location: str, tail: bytes, offset: int) -> tuple[list[Any], int]:
    """Return the values of a tensor as they were sent, and the offset of the next tensor in the binary part."""
    if BINARY_SIZE not in tensor.parameters:
        if tensor.data is None:
            raise InvalidRequest.for_field(location, "missing", "data is missing")
        return tensor.data, offset
    size = _binary_size(tensor, location, tail, offset)
    data = tail[offset : offset + size]
    return _decode_binary(tensor.datatype, data, n_values, location), offset + size


def _binary_size(tensor: InputTensor, location: str, tail: bytes, offset: int) -> int:
    size = tensor.parameters[BINARY_SIZE]
    if type(size) is not int or not 0 <= size <= len(tail) - offset:
        raise MalformedBody.for_field(location, "binary", "binary_data_size is the number of bytes of the tensor")
    return size


def _count_rows(tensor: InputTensor, location: str) -> int:
    shape = tensor.shape
    if len(shape) not in (1, 2) or shape[0] < 1 or (len(shape) == 2 and shape[1] != 1):
        raise InvalidRequest.for_field(f"{location}.shape", "shape", "expected [n] or [n, 1] with n of at least 1")
    return shape[0]


def _check_datatype(tensor: InputTensor, location: str) -> None:
    if tensor.datatype not in _NUMPY_TYPES and tensor.datatype != "BYTES":
        accepted = ", ".join([*_NUMPY_TYPES, "BYTES"])
        raise InvalidRequest.for_field(f"{location}.datatype", "datatype", f"expected one of {accepted}")


def _tensor_values(
    tensor: InputTensor, column: Column | None, n_rows: int, location: str, tail: bytes, offset: int
) -> tuple[list[Any], int]:
    """Return the values of a tensor, and the offset of the next tensor in the binary part.

    A tensor of any datatype and content is accepted where `column` is None: it is declared and no feature.
    """
    _check_datatype(tensor, location)
    has_other_form = column is not None and (DATATYPES[column.kind] == "BYTES") is not (tensor.datatype == "BYTES")
    # The words of a category may be codes, and a column may declare how its texts read.
    is_typed = column is not None and column.kind != "category" and not column.text_format.is_declared
    if column is not None and has_other_form and is_typed:
        raise InvalidRequest.for_field(f"{location}.datatype", "datatype", f"{column.name} is {DATATYPES[column.kind]}")
    if column is None and BINARY_SIZE in tensor.parameters:
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

"""The messages of the Open Inference Protocol for gRPC, as Protocol Buffers describe them.

The descriptors are in a pool of their own, so that a client of the protocol in the same process, which registers the
same names, does not collide with them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["METHODS", "SERVICE", "message_class"]

_PACKAGE = "inference"
SERVICE = f"{_PACKAGE}.GRPCInferenceService"
# Each takes a message NAMERequest and returns a message NAMEResponse.
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

_PARAMETERS = "map InferParameter"
_TENSOR = {"name": "string", "datatype": "string", "shape": "repeated int64"}
# Message -> its fields, numbered from 1 in this order. A message with a dot is declared inside of another.
_MESSAGES: dict[str, dict[str, str]] = {
    "InferParameter": {"bool_param": "oneof bool", "int64_param": "oneof int64", "string_param": "oneof string"},
    "InferTensorContents": {
        "bool_contents": "repeated bool",
        "int_contents": "repeated int32",
        "int64_contents": "repeated int64",
        "uint_contents": "repeated uint32",
        "uint64_contents": "repeated uint64",
        "fp32_contents": "repeated float",
        "fp64_contents": "repeated double",
        "bytes_contents": "repeated bytes",
    },
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": "bool"},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": "bool"},
    "ModelReadyRequest": {"name": "string", "version": "string"},
    "ModelReadyResponse": {"ready": "bool"},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {"name": "string", "version": "string", "extensions": "repeated string"},
    "ModelMetadataRequest": {"name": "string", "version": "string"},
    "ModelMetadataResponse": {
        "name": "string",
        "versions": "repeated string",
        "platform": "string",
        "inputs": "repeated ModelMetadataResponse.TensorMetadata",
        "outputs": "repeated ModelMetadataResponse.TensorMetadata",
    },
    "ModelMetadataResponse.TensorMetadata": _TENSOR,
    "ModelInferRequest": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": _PARAMETERS,
        "inputs": "repeated ModelInferRequest.InferInputTensor",
        "outputs": "repeated ModelInferRequest.InferRequestedOutputTensor",
        "raw_input_contents": "repeated bytes",
    },
    "ModelInferRequest.InferInputTensor": {**_TENSOR, "parameters": _PARAMETERS, "contents": "InferTensorContents"},
    "ModelInferRequest.InferRequestedOutputTensor": {"name": "string", "parameters": _PARAMETERS},
    "ModelInferResponse": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": _PARAMETERS,
        "outputs": "repeated ModelInferResponse.InferOutputTensor",
        "raw_output_contents": "repeated bytes",
    },
    "ModelInferResponse.InferOutputTensor": {**_TENSOR, "parameters": _PARAMETERS, "contents": "InferTensorContents"},
}

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL, "int32": _Field.TYPE_INT32, "int64": _Field.TYPE_INT64, "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64, "float": _Field.TYPE_FLOAT, "double": _Field.TYPE_DOUBLE,
    "string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES,
}  # fmt: skip
_MAP_ENTRY = "ParametersEntry"
_ONEOF = "parameter_choice"


@cache
def message_class(name: str) -> type[Message]:
    """Return the class of a message, such as `ModelInferRequest`."""
    descriptor = _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    found: type[Message] = message_factory.GetMessageClass(descriptor)
    return found


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="pipeline/serving/open_inference.proto", package=_PACKAGE, syntax="proto3"
    )
    declared: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        parent, _, own_name = name.rpartition(".")
        message = declared[parent].nested_type.add() if parent else file.message_type.add()
        message.name = own_name
        declared[name] = message
        for number, (field_name, declaration) in enumerate(fields.items(), 1):
            _add_field(message, name, field_name, number, declaration)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, message_name: str, name: str, number: int, declaration: str) -> None:
    label, _, type_name = declaration.rpartition(" ")
    if label == "map":
        entry = message.nested_type.add(name=_MAP_ENTRY)
        entry.options.map_entry = True
        _add_field(entry, "", "key", 1, "string")
        _add_field(entry, "", "value", 2, type_name)
        label, type_name = "repeated", f"{message_name}.{_MAP_ENTRY}"
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if label == "repeated" else _Field.LABEL_OPTIONAL
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name=_ONEOF)
        field.oneof_index = 0
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{type_name}"

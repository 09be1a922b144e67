"""Read inference requests from messages of gRPC, and write predictions and metadata into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from pipeline.serving.grpc_inference.protocol_messages import message_class
from pipeline.serving.http.inference_outputs import encode_binary, model_metadata, output_tensors, requested_outputs
from pipeline.serving.http.inference_tensors import BINARY_SIZE, InputTensor, feature_columns
from pipeline.serving.http.open_inference import InferenceRequest
from pipeline.serving.serving_errors import InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.prediction_types import PredictionBatch

__all__ = ["inference_response", "metadata_response", "parse_inference", "parse_message"]

# Datatype -> the field of InferTensorContents that has its values; FP16 has none, and is sent as raw contents.
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}  # fmt: skip


def parse_message(name: str, data: bytes) -> Any:
    """Return a message of this name from its bytes.

    Raises
    ------
    MalformedBody
        When the bytes are another message, or none.
    """
    try:
        return message_class(name).FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody.for_field("message", "protobuf", f"expected a {name} of the protocol") from error


def parse_inference(message: Any, schema: Schema, *, max_rows: int) -> InferenceRequest:
    """Return the parsed form of a ModelInferRequest; its outputs are raw contents where its inputs are.

    Raises the errors of `open_inference.parse_request`.
    """
    raw_contents: Sequence[bytes] = message.raw_input_contents
    if raw_contents and len(raw_contents) != len(message.inputs):
        text = f"has {len(raw_contents)} items; expected one for each of {len(message.inputs)} inputs, or none"
        raise MalformedBody.for_field("raw_input_contents", "binary", text)
    tensors = [
        _raw_tensor(tensor, len(raw_contents[number]), number) if raw_contents else _typed_tensor(tensor, number)
        for number, tensor in enumerate(message.inputs)
    ]
    columns = feature_columns(tensors, b"".join(raw_contents), schema, max_rows=max_rows)
    asked = [(output.name, _parameters(output.parameters)) for output in message.outputs]
    outputs = requested_outputs(asked, _parameters(message.parameters), schema.target.classes)
    return InferenceRequest(
        message.id or None,
        columns,
        dict.fromkeys(outputs, bool(raw_contents)),
        message.model_name or None,
        message.model_version or None,
    )


def inference_response(request: InferenceRequest, predictions: PredictionBatch, model: LoadedModel) -> bytes:
    """Return the message of a response."""
    response: Any = message_class("ModelInferResponse")(
        model_name=model.name, model_version=str(predictions.model_version), id=request.id or ""
    )
    response.parameters["variant"].string_param = predictions.variant
    for output in output_tensors([*request.outputs], predictions, model.classes):
        tensor = response.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        for name, text in output.parameters.items():
            tensor.parameters[name].string_param = text
        if request.outputs[output.name]:
            response.raw_output_contents.append(encode_binary(output))
        else:
            is_text = output.datatype == "BYTES"
            values = [str(value).encode() for value in output.values] if is_text else output.values
            getattr(tensor.contents, _CONTENTS[output.datatype]).extend(values)
    return _encode(response)


def metadata_response(model: LoadedModel) -> bytes:
    """Return the message that describes inputs and outputs of a model."""
    metadata = model_metadata(model.name, str(model.version), model.schema)
    tensors = {
        side: [{key: tensor[key] for key in ("name", "datatype", "shape")} for tensor in metadata[side]]
        for side in ("inputs", "outputs")
    }
    return _encode(message_class("ModelMetadataResponse")(**{**metadata, **tensors}))


def _encode(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _raw_tensor(tensor: Any, size: int, number: int) -> InputTensor:
    if tensor.HasField("contents"):
        message = "has contents, and raw_input_contents has values, too; send one of them"
        raise InvalidRequest.for_field(f"inputs[{number}].contents", "duplicate", message)
    parameters = {**_parameters(tensor.parameters), BINARY_SIZE: size}
    return InputTensor(tensor.name, list(tensor.shape), tensor.datatype, None, parameters)


def _typed_tensor(tensor: Any, number: int) -> InputTensor:
    parameters = _parameters(tensor.parameters)
    parameters.pop(BINARY_SIZE, None)  # it has a meaning in HTTP only
    if not tensor.HasField("contents"):
        return InputTensor(tensor.name, list(tensor.shape), tensor.datatype, None, parameters)
    name = _CONTENTS.get(tensor.datatype, "")
    others = [field.name for field, _ in tensor.contents.ListFields() if field.name != name]
    if others and name:
        message = f"the values of {tensor.datatype} are in {name}, not in {', '.join(others)}"
        raise InvalidRequest.for_field(f"inputs[{number}].contents", "datatype", message)
    values = list(getattr(tensor.contents, name)) if name else None
    if name == "bytes_contents":
        values = [_decode_text(value, number) for value in values or ()]
    return InputTensor(tensor.name, list(tensor.shape), tensor.datatype, values, parameters)


def _decode_text(value: bytes, number: int) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody.for_field(f"inputs[{number}]", "utf-8", "expected strings in UTF-8") from error


def _parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as plain values; one of a kind that the protocol lacks is None."""
    values = {}
    for name, parameter in parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        values[name] = None if kind is None else getattr(parameter, kind)
    return values

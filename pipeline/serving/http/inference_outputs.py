"""Say which outputs a model has in the Open Inference Protocol, and fill the requested ones with predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pipeline.serving.http.inference_tensors import DATATYPES, check_parameters
from pipeline.serving.serving_errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.prediction_types import PredictionBatch

__all__ = ["OutputTensor", "encode_binary", "model_metadata", "output_tensors", "requested_outputs"]

_OUTPUT_DATATYPES = {
    "prediction": "BYTES",
    "probabilities": "FP64",
    "confidence": "FP64",
    "prediction_id": "BYTES",
    "warnings": "BYTES",
}
_CLASS_PREFIX = "probability_"
_MAX_NAMES = 20  # of outputs in a message


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """An output with its values, one after the other: [n] or [n, k] in the order of the rows."""

    name: str
    datatype: str
    shape: list[int]
    values: Sequence[Any]
    parameters: Mapping[str, str]


def model_metadata(name: str, version: str, schema: Schema) -> dict[str, Any]:
    """Return the metadata of a model, as the protocol defines them."""
    inputs = [{"name": column.name, "datatype": DATATYPES[column.kind], "shape": [-1]} for column in schema.features]
    classes = schema.target.classes
    outputs: list[dict[str, Any]] = [
        {"name": output, "datatype": datatype, "shape": [-1]} for output, datatype in _datatypes(classes).items()
    ]
    for output in outputs:
        if output["name"] == "probabilities":
            output |= {"shape": [-1, len(classes)], "parameters": _class_labels(classes)}
    return {"name": name, "versions": [version], "platform": "mlops_onnx", "inputs": inputs, "outputs": outputs}


def requested_outputs(
    outputs: Sequence[tuple[str, Mapping[str, Any]]], parameters: Mapping[str, Any], classes: Sequence[str]
) -> dict[str, bool]:
    """Return the names of the requested outputs, each with whether it is requested as binary data.

    A request for a table (MLServer's content type `pd`) without outputs gets one for each class in place of
    `probabilities`, because all columns of a table have the same number of values.

    Parameters
    ----------
    outputs : sequence of (str, mapping)
        Name and parameters of each requested output; empty for the default ones.
    parameters : mapping
        Those of the request.
    classes : sequence of str

    Raises
    ------
    InvalidRequest
        When an output does not exist.
    """
    is_binary = parameters.get("binary_data_output") is True
    known = _datatypes(classes)
    if not outputs:
        omitted = _is_class_output if parameters.get("content_type") != "pd" else _is_matrix_output
        return {name: is_binary for name in known if not omitted(name)}
    for number, (name, output_parameters) in enumerate(outputs):
        if name not in known:
            raise InvalidRequest.for_field("outputs", "unknown", f"outputs are {', '.join([*known][:_MAX_NAMES])}")
        check_parameters(output_parameters, f"outputs[{number}]")
    return {name: options.get("binary_data", is_binary) is True for name, options in outputs}


def output_tensors(
    names: Sequence[str], predictions: PredictionBatch, classes: Sequence[str]
) -> tuple[OutputTensor, ...]:
    """Return the named outputs of a batch; `classes` are the columns of its probabilities."""
    values_by_name: dict[str, Sequence[Any]] = {
        "prediction": predictions.predictions,
        "confidence": predictions.confidences,
        "prediction_id": predictions.prediction_ids,
        "warnings": predictions.warnings,
    }
    datatypes = _datatypes(classes)
    tensors = []
    for name in names:
        shape, parameters = [len(predictions.predictions)], {}
        if name in values_by_name:
            values = values_by_name[name]
        elif _is_matrix_output(name):
            values = [value for row in predictions.probabilities for value in row]
            shape, parameters = [*shape, len(classes)], _class_labels(classes)
        else:
            position = list(classes).index(name.removeprefix(_CLASS_PREFIX))
            values = [row[position] for row in predictions.probabilities]
        tensors.append(OutputTensor(name, datatypes[name], shape, values, parameters))
    return tuple(tensors)


def encode_binary(tensor: OutputTensor) -> bytes:
    """Return the values of an output as the protocol's binary data."""
    if tensor.datatype == "BYTES":
        strings = [str(value).encode() for value in tensor.values]
        return b"".join([len(string).to_bytes(4, "little") + string for string in strings])
    return np.asarray(tensor.values, "<f8").tobytes()


def _datatypes(classes: Sequence[str]) -> dict[str, str]:
    return {**_OUTPUT_DATATYPES, **{f"{_CLASS_PREFIX}{label}": "FP64" for label in classes}}


def _is_class_output(name: str) -> bool:
    return name not in _OUTPUT_DATATYPES


def _is_matrix_output(name: str) -> bool:
    return name == "probabilities"


def _class_labels(classes: Sequence[str]) -> dict[str, str]:
    """Return the parameter that names the columns of `probabilities`; the protocol allows no lists there."""
    return {"labels": msgspec.json.encode(list(classes)).decode()}

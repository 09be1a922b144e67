from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.serving.grpc_inference import inference_messages
from pipeline.serving.grpc_inference.protocol_messages import message_class
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody
from tests.fixtures.toy_dataset import schema
from tests.pipeline.serving.http.test_open_inference import batch

FP64 = struct.pack("<2d", 1.5, float("inf"))


def message(*inputs: dict[str, Any], raw: tuple[bytes, ...] = (), **fields: Any) -> Any:
    request: Any = message_class("ModelInferRequest")(model_name="m", raw_input_contents=raw, **fields)
    for tensor in inputs:
        contents = tensor.pop("contents", {})
        added = request.inputs.add(**tensor)
        for name, values in contents.items():
            getattr(added.contents, name).extend(values)
    return request


def size(**change: Any) -> dict[str, Any]:
    return {"name": "size", "datatype": "FP64", "shape": [2], "contents": {"fp64_contents": [1.5, 2.5]}, **change}


def raw_size(**change: Any) -> dict[str, Any]:
    return {"name": "size", "datatype": "FP64", "shape": [2], **change}


def parse(request: Any, max_rows: int = 10) -> Any:
    return inference_messages.parse_inference(request, schema(), max_rows=max_rows)


def test_typed_contents_become_columns_and_get_typed_outputs() -> None:
    colour = {"name": "colour", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"red", b""]}}
    request = parse(message(size(), colour, id="7"))
    assert (request.id, request.columns) == ("7", {"size": [1.5, 2.5], "colour": ["red", None]})
    assert set(request.outputs.values()) == {False}


def test_raw_contents_become_columns_and_get_raw_outputs() -> None:
    words = b"".join(struct.pack("<I", len(word)) + word for word in (b"red", b"blue"))
    request = parse(
        message(
            raw_size(), {"name": "colour", "datatype": "BYTES", "shape": [2]}, raw=(struct.pack("<2d", 1, 2), words)
        )
    )
    assert request.columns == {"size": [1.0, 2.0], "colour": ["red", "blue"]}
    assert set(request.outputs.values()) == {True}


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("INT8", "int_contents", [-1, 2]),
        ("INT64", "int64_contents", [-1, 2**60]),
        ("UINT16", "uint_contents", [1, 2]),
        ("UINT64", "uint64_contents", [1, 2**63]),
        ("FP32", "fp32_contents", [1.5, 2.5]),
    ],
)
def test_each_datatype_has_its_field(datatype: str, field: str, values: list[Any]) -> None:
    assert parse(message(size(datatype=datatype, contents={field: values}))).columns == {"size": values}


@pytest.mark.parametrize(
    ("request_message", "error", "text"),
    [
        (message(size(name="sise")), InvalidRequest, r"inputs\[0\]: is not a feature of this model"),
        (message(size(shape=[3])), InvalidRequest, r"inputs\[0\]: has 2 values; its shape has 3"),
        (message(size(shape=[-1])), InvalidRequest, r"inputs\[0\].shape: expected \[n\] or \[n, 1\]"),
        (message(size(shape=[])), InvalidRequest, r"inputs\[0\].shape: expected"),
        (message(size(shape=[2**62])), BodyTooLarge, "at most 10 rows"),
        (message(size(datatype="FP128")), InvalidRequest, r"inputs\[0\].datatype: expected one of BOOL"),
        (message(size(datatype="INT64")), InvalidRequest, "INT64 are in int64_contents, not in fp64_contents"),
        (message(size(contents={})), InvalidRequest, r"inputs\[0\]: data is missing"),
        (message(raw_size(datatype="FP16")), InvalidRequest, "data is missing"),
        (message(raw_size(), raw=(FP64[:-1],)), MalformedBody, "number of bytes does not match"),
        (message(raw_size(), raw=(FP64, FP64)), MalformedBody, "has 2 items; expected one for each of 1 inputs"),
        (message(size(), raw=(FP64,)), InvalidRequest, r"inputs\[0\].contents: has contents, and raw_input_contents"),
        (
            message({"name": "colour", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b"\xff"]}}),
            MalformedBody,
            "strings in UTF-8",
        ),
        (
            message({"name": "colour", "datatype": "BYTES", "shape": [1]}, raw=(b"\xff\xff\xff\xff",)),
            MalformedBody,
            "its length in 4 bytes",
        ),
    ],
)  # fmt: skip
def test_a_malformed_message_is_refused_with_its_place(request_message: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        parse(request_message)


def test_a_shape_is_refused_before_its_values_are_made() -> None:
    row = {"name": "row", "datatype": "BYTES", "shape": [2**62]}
    with pytest.raises(BodyTooLarge, match="at most 10 rows"):
        parse(message(row, raw=(b"",)))


@pytest.mark.parametrize(("side", "name"), [("inputs", "shared_memory_region"), ("outputs", "classification")])
def test_a_parameter_of_an_extension_is_refused(side: str, name: str) -> None:
    request = message(size())
    tensor = request.inputs[0] if side == "inputs" else request.outputs.add(name="prediction")
    tensor.parameters[name].string_param = "x"
    with pytest.raises(
        InvalidRequest, match=rf"{side}\[0\].parameters: the extension .* send the request without {name}"
    ):
        parse(request)


def test_bytes_that_are_no_message_are_malformed() -> None:
    with pytest.raises(MalformedBody, match="message: expected a ModelInferRequest of the protocol"):
        inference_messages.parse_message("ModelInferRequest", b"\xff\xff")


def test_a_response_has_typed_or_raw_outputs_as_the_request_has() -> None:
    model: Any = SimpleNamespace(name="m", classes=("no", "yes"))
    typed, raw = (
        message_class("ModelInferResponse").FromString(
            inference_messages.inference_response(parse(request), batch(), model)
        )
        for request in (message(size()), message(raw_size(), raw=(FP64,)))
    )
    probabilities: Any = typed.outputs[1]  # type: ignore[attr-defined]
    assert list(probabilities.contents.fp64_contents) == [0.9, 0.1, 0.2, 0.8]
    assert list(probabilities.shape) == [2, 2]
    assert probabilities.parameters["labels"].string_param == '["no","yes"]'
    assert struct.unpack("<4d", raw.raw_output_contents[1]) == (0.9, 0.1, 0.2, 0.8)  # type: ignore[attr-defined]

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.serving.http import inference_outputs, open_inference
from pipeline.serving.prediction_types import PredictionBatch
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody
from tests.fixtures.toy_dataset import schema

if TYPE_CHECKING:
    from pipeline.schema import Schema

SIZE = {"name": "size", "shape": [2], "datatype": "FP64", "data": [1.5, None]}


def parse(
    inputs: list[dict[str, Any]], *, tail: bytes = b"", max_rows: int = 10, **members: Any
) -> open_inference.InferenceRequest:
    head = json.dumps({"inputs": inputs, **members}).encode()
    length = str(len(head)).encode() if tail else None
    return open_inference.parse_request(head + tail, length, schema(), max_rows=max_rows)


def batch() -> PredictionBatch:
    return PredictionBatch(
        ["no", "yes"],
        [0.9, 0.8],
        [[0.9, 0.1], [0.2, 0.8]],
        ["p1", "p2"],
        ["", ""],
        [0, 1],
        (),
        1,
        "champion",
        lambda: b"",
    )


def test_json_tensors_become_columns() -> None:
    colour = {"name": "colour", "shape": [2, 1], "datatype": "BYTES", "data": [["red"], ["blue"]]}
    request = parse([SIZE, colour], id="7")
    assert (request.id, request.columns) == ("7", {"size": [1.5, None], "colour": ["red", "blue"]})
    assert request.outputs == dict.fromkeys(
        ["prediction", "probabilities", "confidence", "prediction_id", "warnings"], False
    )


def test_binary_tensors_become_columns() -> None:
    numbers = np.array([1.5, 2.5], dtype="<f4").tobytes()
    words = b"".join(struct.pack("<I", len(word)) + word for word in (b"red", b"blue"))
    inputs = [
        {"name": "size", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": len(numbers)}},
        {"name": "colour", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(words)}},
    ]
    assert parse(inputs, tail=numbers + words).columns == {"size": [1.5, 2.5], "colour": ["red", "blue"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "sise"}, r"inputs\[0\]: is not a feature of this model"),
        ({"shape": [0]}, r"inputs\[0\].shape: expected \[n\] or \[n, 1\]"),
        ({"shape": [2, 2]}, r"inputs\[0\].shape: expected \[n\] or \[n, 1\]"),
        ({"name": "x", "shape": [1, 2]}, r"inputs\[0\]: expected a tensor for each feature, because colour, is_new"),
        ({"shape": [3]}, r"inputs\[0\]: has 2 values; its shape has 3"),
        ({"datatype": "FP128"}, r"inputs\[0\].datatype: expected one of BOOL"),
        ({"datatype": "BYTES"}, r"inputs\[0\].datatype: size is FP64"),
        ({"data": None}, r"inputs\[0\]: data is missing"),
    ],
)
def test_an_invalid_tensor_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse([{**SIZE, **change}])


def test_tensors_must_have_the_same_number_of_rows() -> None:
    with pytest.raises(InvalidRequest, match=r"inputs\[1\].shape: has 1 rows; the first tensor has 2"):
        parse([SIZE, {"name": "count", "shape": [1], "datatype": "INT64", "data": [1]}])


def test_a_feature_may_be_given_once() -> None:
    with pytest.raises(InvalidRequest, match=r"inputs\[1\]: size is given twice"):
        parse([SIZE, SIZE])


def test_the_number_of_rows_is_bounded() -> None:
    with pytest.raises(BodyTooLarge, match="at most 1 rows"):
        parse([SIZE], max_rows=1)


@pytest.mark.parametrize(
    ("tail", "size", "message"),
    [
        (b"1234567", 7, "its number of bytes does not match shape and datatype"),
        (b"12345678" * 3, 16, "the binary part is longer than its tensors"),
        (b"12345678", 16, "binary_data_size is the number of bytes of the tensor"),
    ],
)
def test_a_binary_part_must_match_its_tensors(tail: bytes, size: int, message: str) -> None:
    tensor = {"name": "size", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": size}}
    with pytest.raises(MalformedBody, match=message):
        parse([tensor], tail=tail)


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="outputs are prediction, probabilities"):
        parse([SIZE], outputs=[{"name": "logits"}])


def test_a_json_response_has_the_requested_outputs() -> None:
    request = parse([SIZE], id="7", outputs=[{"name": "prediction"}, {"name": "probabilities"}])
    body, json_length = open_inference.build_response(request, batch(), name="m", classes=("no", "yes"))
    assert json_length is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "1",
        "parameters": {"variant": "champion"},
        "id": "7",
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["no", "yes"]},
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [2, 2],
                "parameters": {"labels": '["no","yes"]'},
                "data": [0.9, 0.1, 0.2, 0.8],
            },
        ],
    }


def test_a_binary_response_has_its_data_after_the_json() -> None:
    request = parse([SIZE], outputs=[{"name": "confidence", "parameters": {"binary_data": True}}])
    body, json_length = open_inference.build_response(request, batch(), name="m", classes=("no", "yes"))
    assert json_length is not None
    [output] = json.loads(body[:json_length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 16}
    assert np.frombuffer(body[json_length:], "<f8").tolist() == [0.9, 0.8]


def test_metadata_names_each_feature_and_output() -> None:
    metadata = inference_outputs.model_metadata("m", "1", schema())
    assert [(tensor["name"], tensor["datatype"]) for tensor in metadata["inputs"]] == [
        ("size", "FP64"), ("count", "INT64"), ("colour", "BYTES"), ("is_new", "BOOL"), ("seen_at", "BYTES"),
        ("note", "BYTES"),
    ]  # fmt: skip
    assert {tensor["name"]: tensor for tensor in metadata["outputs"]}["probabilities"] == {
        "name": "probabilities",
        "datatype": "FP64",
        "shape": [-1, 2],
        "parameters": {"labels": '["no","yes"]'},
    }


def test_a_declared_column_that_is_no_feature_may_hold_anything() -> None:
    broken = {"name": "row", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 3}}
    assert parse([SIZE, broken], tail=b"\xff\xff\xff").columns == {"size": [1.5, None]}


@pytest.mark.parametrize("datatype", ["INT64", "UINT8", "FP32"])
def test_words_that_are_codes_may_be_numbers(datatype: str) -> None:
    codes = {"name": "colour", "shape": [2], "datatype": datatype, "data": [1, 2]}
    assert parse([codes]).columns == {"colour": [1, 2]}


def test_the_warnings_of_each_row_are_an_output() -> None:
    request = parse([SIZE], outputs=[{"name": "warnings"}])
    warned = replace(batch(), warnings=["", "colour: unseen"])
    body, _ = open_inference.build_response(request, warned, name="m", classes=("no", "yes"))
    assert json.loads(body)["outputs"] == [
        {"name": "warnings", "datatype": "BYTES", "shape": [2], "data": ["", "colour: unseen"]}
    ]


def numbers_schema() -> Schema:
    numeric = tuple(column for column in schema().columns if column.name in ("size", "count"))
    return replace(schema(), columns=numeric)


MATRIX = {"name": "input-0", "shape": [3, 2], "datatype": "FP64", "data": [1.5, 1, 2.5, 2, None, 3]}


def parse_matrix(change: dict[str, Any], tail: bytes = b"") -> open_inference.InferenceRequest:
    head = json.dumps({"inputs": [{**MATRIX, **change}]}).encode()
    length = str(len(head)).encode() if tail else None
    return open_inference.parse_request(head + tail, length, numbers_schema(), max_rows=3)


def test_one_tensor_has_all_features_of_a_numeric_model_in_their_order() -> None:
    columns = {"size": [1.5, 2.5, None], "count": [1, 2, 3]}
    assert parse_matrix({}).columns == columns
    assert parse_matrix({"data": [[1.5, 1], [2.5, 2], [None, 3]]}).columns == columns


def test_a_binary_matrix_has_the_same_columns() -> None:
    tail = np.array([[1.5, 1], [2.5, 2], [3.5, 3]], dtype="<f4").tobytes()
    change = {"datatype": "FP32", "data": None, "parameters": {"binary_data_size": len(tail)}}
    assert parse_matrix(change, tail).columns == {"size": [1.5, 2.5, 3.5], "count": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"shape": [2, 3]}, InvalidRequest, r"inputs\[0\].shape: has 3 columns; expected 2, in the order size, count"),
        ({"data": [1, 2, 3]}, InvalidRequest, r"inputs\[0\]: has 3 values; its shape has 6"),
        ({"data": [[1, 2], 3, 4]}, InvalidRequest, r"inputs\[0\]: has 2 values; its shape has 6"),
        ({"data": None}, InvalidRequest, r"inputs\[0\]: data is missing"),
        ({"shape": [4, 2]}, BodyTooLarge, "at most 3 rows at a time"),
    ],
)
def test_an_invalid_matrix_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_matrix(change)


@pytest.mark.parametrize("is_binary", [False, True])
def test_a_text_without_characters_is_missing(*, is_binary: bool) -> None:
    colour: dict[str, Any] = {"name": "colour", "shape": [2], "datatype": "BYTES"}
    if not is_binary:
        assert parse([{**colour, "data": ["red", ""]}]).columns == {"colour": ["red", None]}
        return
    tail = b"".join(struct.pack("<I", len(word)) + word for word in (b"red", b""))
    tensor = {**colour, "parameters": {"binary_data_size": len(tail)}}
    assert parse([tensor], tail=tail).columns == {"colour": ["red", None]}


def test_the_body_may_repeat_the_model() -> None:
    request = parse([SIZE], model_name="m", model_version="1")
    assert (request.model_name, request.model_version) == ("m", "1")
    with pytest.raises(InvalidRequest, match="model_names"):
        parse([SIZE], model_names="m")

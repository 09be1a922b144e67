"""Tensors are tested by the requests that hold them in test_open_inference.py; here, those that claim too much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.inference_tensors import InputTensor, check_parameters, feature_columns
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest
from tests.fixtures.toy_dataset import schema

if TYPE_CHECKING:
    from pipeline.schema import Schema


def numbers_schema() -> Schema:
    return replace(schema(), columns=tuple(column for column in schema().columns if column.name in ("size", "count")))


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("size", [2**62], {}),
        ("size", [2**62, 1], {"binary_data_size": 0}),
        ("row", [2**62], {"binary_data_size": 0}),
        ("row", [2**62], {}),
    ],
)
def test_a_shape_is_a_claim_that_takes_no_memory(name: str, shape: list[int], parameters: dict[str, Any]) -> None:
    with pytest.raises(BodyTooLarge, match="at most 5 rows"):
        feature_columns([InputTensor(name, shape, "INT64", [1], parameters)], b"", schema(), max_rows=5)


@pytest.mark.parametrize("parameters", [{}, {"binary_data_size": 16}])
def test_a_matrix_of_an_unknown_datatype_is_refused(parameters: dict[str, Any]) -> None:
    tensor = InputTensor("all", [1, 2], "FP128", [1, 2], parameters)
    with pytest.raises(InvalidRequest, match=r"inputs\[0\].datatype: expected one of BOOL"):
        feature_columns([tensor], bytes(16), numbers_schema(), max_rows=5)


def test_parameters_without_an_effect_are_accepted() -> None:
    check_parameters({"priority": 1, "content_type": "np"}, "inputs[0]")
    with pytest.raises(InvalidRequest, match=r"outputs\[0\].parameters: the extension classification does not exist"):
        check_parameters({"classification": 1}, "outputs[0]")

from __future__ import annotations

import pytest

from pipeline.serving.http.inference_outputs import encode_binary, output_tensors, requested_outputs
from pipeline.serving.serving_errors import InvalidRequest
from tests.pipeline.serving.http.test_open_inference import batch

CLASSES = ("no", "yes")


def test_a_request_for_a_table_gets_an_output_for_each_class() -> None:
    assert [*requested_outputs([], {"content_type": "pd"}, CLASSES)] == [
        "prediction", "confidence", "prediction_id", "warnings", "probability_no", "probability_yes",
    ]  # fmt: skip
    assert [*requested_outputs([], {}, CLASSES)] == [
        "prediction", "probabilities", "confidence", "prediction_id", "warnings",
    ]  # fmt: skip


def test_the_output_of_a_class_has_its_probability_of_each_row() -> None:
    no, yes = output_tensors(["probability_no", "probability_yes"], batch(), CLASSES)
    assert (no.values, yes.values, yes.shape, yes.datatype) == ([0.9, 0.2], [0.1, 0.8], [2], "FP64")


def test_an_output_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidRequest, match=r"outputs are prediction, .*probability_no, probability_yes"):
        requested_outputs([("probability_maybe", {})], {}, CLASSES)


def test_an_extension_of_an_output_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"outputs\[0\].parameters: the extension classification does not exist"):
        requested_outputs([("prediction", {"classification": 1})], {}, CLASSES)


def test_texts_are_encoded_with_their_lengths() -> None:
    (prediction,) = output_tensors(["prediction"], batch(), CLASSES)
    assert encode_binary(prediction) == b"\2\0\0\0no\3\0\0\0yes"

"""Numbers as they are, as logarithms and as bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.pipeline.modeling.encoding.builders import frame_of, matrix_of, one_column


@pytest.mark.parametrize(
    ("encode", "expected"),
    [
        ("plain", [[-1.0], [0.0], [3.0], [8.0]]),
        ("log", [[-math.log(2)], [0.0], [math.log(4)], [math.log(9)]]),
        ({"method": "bins", "n_bins": 2}, [[0.0], [1.0], [1.0], [1.0]]),
        ({"method": "plain", "clip": 0.3}, [[0.0], [0.0], [3.0], [3.0]]),
        ({"method": "log", "clip": 0.3}, [[0.0], [0.0], [math.log(4)], [math.log(4)]]),
    ],
)
def test_numbers_are_encoded_as_declared(encode, expected) -> None:
    assert np.allclose(matrix_of([-1.0, 0.0, 3.0, 8.0], "float", encode), expected, atol=1e-6)


@pytest.mark.parametrize("encode", ["plain", "log", "bins"])
def test_a_missing_number_stays_missing_or_is_filled(encode: str) -> None:
    values = [1.0, None, 2.0, 4.0]
    assert np.isnan(matrix_of(values, "float", encode)[1][0])
    assert np.isfinite(matrix_of(values, "float", encode, missing="impute")).all()


def test_a_logarithm_has_the_same_bits_in_any_place() -> None:
    numbers = np.random.default_rng(0).lognormal(0, 8, 70)
    encoder = one_column("float", "log").fit(frame_of(numbers, "float"))
    whole = encoder.transform({"x": numbers})[:, 0]
    for start in range(70):
        assert np.array_equal(encoder.transform({"x": numbers[start:]})[:, 0], whole[start:])


def test_bins_of_extreme_numbers_are_whole_numbers() -> None:
    encoder = one_column("float", "bins").fit(frame_of([1e300, -1e300, 0.0, 5e-324], "float"))
    assert set(encoder.transform({"x": [1e308, -1e308, 0.0]})[:, 0].tolist()) <= set(map(float, range(10)))


@pytest.mark.parametrize("encode", ["log", {"method": "plain", "clip": 0.1}, {"method": "bins", "n_bins": 50}])
def test_no_figure_of_a_private_number_is_one_persons_value(encode) -> None:
    numbers = np.random.default_rng(1).normal(50_000, 10_000, 60)
    encoder = one_column("float", encode, store="drop").fit(frame_of(numbers, "float"))
    (encoding,) = encoder.encodings_
    stored = {*encoding.groups.levels, *encoding.edges, encoding.low, encoding.high}
    assert stored.isdisjoint(numbers.astype(np.float32).astype(float).tolist())

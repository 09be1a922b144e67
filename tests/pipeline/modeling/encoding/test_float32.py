"""Rounding to float32 clips what is beyond its range and leaves no number that JSON would change."""

from __future__ import annotations

import json

import numpy as np

from pipeline.modeling.encoding.float32 import FLOAT32_MAX, nearest_float32, round_to_float32


def test_numbers_are_rounded_and_clipped() -> None:
    numbers = np.array([0.1, 16_777_217.0, 1e300, -1e300, np.nan])
    rounded = round_to_float32(numbers)
    assert rounded[:4].tolist() == [float(np.float32(0.1)), 16_777_216.0, FLOAT32_MAX, -FLOAT32_MAX]
    assert np.isnan(rounded[4])
    assert rounded[:4].tolist() == [nearest_float32(number) for number in numbers[:4]]


def test_json_carries_a_rounded_number_without_loss() -> None:
    number = nearest_float32(1 / 3)
    assert np.float32(json.loads(json.dumps(number))) == np.float32(1 / 3)

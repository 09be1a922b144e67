from __future__ import annotations

import pandas as pd
import pytest

from pipeline.validation import validate_rows
from tests.pipeline.validation.validation_samples import LIMITS, SCHEMA


def test_the_score_is_the_weighted_sum_of_its_parts() -> None:
    frame = pd.DataFrame(
        {"size": [1.0, 2.0, None, 4.0], "count": [1, 1, 1, 1], "text": list("abcd"), "outcome": ["no", "yes"] * 2}
    )
    quality = validate_rows(frame, SCHEMA, LIMITS).quality
    assert quality.completeness == pytest.approx(11 / 12)
    assert (quality.validity, quality.uniqueness) == (1.0, 1.0)
    assert quality.consistency == pytest.approx(2 / 3)
    assert quality.score == pytest.approx(30 * 11 / 12 + 40 + 15 + 15 * 2 / 3)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats
from tests.pipeline.validation.validation_samples import SCHEMA


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, 0.0, -0.0, 1.5, np.inf]),
            st.sampled_from([None, 0, 1, 2**60]),
            st.sampled_from([None, "", "a", "ä"]),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_duplicates_equal_those_of_pandas(rows: list[tuple[Any, Any, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=["size", "count", "text"]).astype(
        {"size": "Float64", "count": "Int64", "text": "string"}
    )
    frame["outcome"] = "no"
    assert collect_stats(open_rows(frame, SCHEMA), SCHEMA).n_duplicates == int(frame.duplicated().sum())

from __future__ import annotations

from typing import get_args

from pipeline.config.groups.data_config import Dtype
from pipeline.schema.column_kinds import DTYPES, ColumnKind


def test_each_kind_has_a_dtype_that_settings_accept() -> None:
    assert set(DTYPES) == set(get_args(ColumnKind))
    assert set(DTYPES.values()) == set(get_args(Dtype))

"""Build encoders of one column, for tests of a single method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.modeling.encoding import Encoder, FormOptions
from pipeline.schema import Column
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

DTYPES = {"float": "Float64", "integer": "Int64", "datetime": "datetime64[us]", "boolean": "boolean"}


def encoder_of(columns: Sequence[Column], *overrides: str, **form: Any) -> Encoder:
    return Encoder(columns, features=settings(*overrides).features, form=FormOptions(**form))


def one_column(kind: str, encode: str | dict[str, Any] = "auto", *, store: str = "full", **form: Any) -> Encoder:
    keys = {"method": encode} if isinstance(encode, str) else encode
    column = Column("x", kind, DTYPES.get(kind, "string"), nullable=True, encode=keys, store=store)
    return encoder_of([column], **form)


def frame_of(values: Sequence[Any], kind: str) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(list(values), dtype=DTYPES.get(kind, "string"))})


def matrix_of(
    values: Sequence[Any], kind: str, encode: str | dict[str, Any] = "auto", **form: Any
) -> list[list[float]]:
    matrix = one_column(kind, encode, **form).fit_transform(frame_of(values, kind))
    return np.round(matrix.astype(np.float64), 6).tolist()

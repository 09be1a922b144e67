"""Describe the rows of a run in MLflow's format, without storing them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.files import sha256
from pipeline.schema.frame_input import as_frame
from pipeline.tracking.run_operations import LoggedDataset

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_dataset", "describe_frame"]

_MLFLOW_TYPES = {"i": "long", "u": "long", "f": "double", "b": "boolean", "M": "datetime"}


def describe_frame(rows: Any, name: str, *, context: str, source: str, digest: str) -> LoggedDataset:
    """Return the description of a frame of any library; an empty `digest` is computed from its content."""
    import pandas as pd

    frame = as_frame(rows, name=name)
    if not digest:
        hashed = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
        digest = sha256(hashed + "\0".join(map(str, frame.columns)).encode())
    columns = {str(column): _MLFLOW_TYPES.get(dtype.kind, "string") for column, dtype in frame.dtypes.items()}
    return describe_dataset(columns, name, n_rows=len(frame), context=context, source=source, digest=digest)


def describe_dataset(
    columns: Mapping[str, str], name: str, *, n_rows: int, context: str, source: str, digest: str
) -> LoggedDataset:
    """Return the description of rows from their columns (name -> MLflow type), number and digest.

    MLflow accepts at most 36 characters of a digest; the hash is truncated.
    """
    layout: list[dict[str, Any]] = [
        {"type": kind, "name": column, "required": False} for column, kind in columns.items()
    ]
    return LoggedDataset(
        name=name,
        digest=digest[:36],
        source=json.dumps({"uri": source}),
        context=context,
        schema=json.dumps({"mlflow_colspec": layout}),
        profile=json.dumps({"num_rows": n_rows, "num_elements": n_rows * len(columns)}),
    )

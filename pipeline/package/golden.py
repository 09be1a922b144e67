"""Store a few rows with their probabilities, so that a loaded package can verify its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier
    from pipeline.schema import Column, Schema

__all__ = ["GOLDEN_TOLERANCE", "check_golden", "make_golden_rows"]

GOLDEN_TOLERANCE = 1e-6


def make_golden_rows(
    classifier: Classifier, frame: pd.DataFrame, score: NDArray[np.float64], *, n_rows: int
) -> dict[str, Any]:
    """Return `n_rows` of `frame` spread evenly over `score`, then edge cases, with their expected predictions.

    Edge cases are the middle row with one value changed: the smallest and the largest of the train rows, missing,
    a category that the train rows lack; then all values missing. The schema accepts each of them.
    """
    n_rows = min(n_rows, len(frame))
    order = np.argsort(score, kind="stable")
    picked = order[np.linspace(0, len(frame) - 1, n_rows).round().astype(int)]
    names = [name for name in frame.columns if name in classifier.schema.feature_names]
    rows = _with_edge_case_rows(frame[names], picked, classifier.schema)
    return {
        "columns": {name: [_to_json_value(value) for value in rows[name].astype(object)] for name in rows},
        "probabilities": classifier.predict_proba(rows).tolist(),
        "classes": classifier.predict(rows).tolist(),
    }


def check_golden(golden: Mapping[str, Any], predict_proba: Callable[[Any], NDArray[np.float64]]) -> None:
    """Predict the golden rows again and compare.

    Raises
    ------
    IntegrityError
        When a probability differs from the stored one.
    """
    try:
        expected = np.array(golden["probabilities"], dtype=np.float64)
        probabilities = predict_proba(golden["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"golden.json: not what a package writes ({error})") from error
    if probabilities.shape != expected.shape:
        raise IntegrityError(f"golden.json: {len(expected)} predictions are stored for {len(probabilities)} rows")
    differs = ~(np.abs(probabilities - expected).max(axis=1, initial=0.0) <= GOLDEN_TOLERANCE)
    if differs.any():
        raise IntegrityError(
            f"golden.json: row {int(np.flatnonzero(differs)[0])}: the prediction differs from the one stored at"
            " packaging; library versions differ, or the package is damaged"
        )


def _with_edge_case_rows(frame: pd.DataFrame, picked: NDArray[np.int64], schema: Schema) -> pd.DataFrame:
    import pandas as pd

    parts = [frame.iloc[picked]]
    base = frame.iloc[[picked[len(picked) // 2]]]
    for column in (feature for feature in schema.features if feature.name in frame):
        for value in _edge_case_values(column, frame[column.name]):
            changed = base.copy()
            changed[column.name] = pd.Series([value], index=base.index, dtype=frame[column.name].dtype)
            parts.append(changed)
    if all(feature.nullable for feature in schema.features):
        parts.append(pd.DataFrame({name: pd.Series([None], dtype=frame[name].dtype) for name in frame}))
    return pd.concat(parts, ignore_index=True)


def _edge_case_values(column: Column, values: pd.Series) -> list[object]:
    edge_cases: list[object] = [None] if column.nullable else []
    present = values.dropna()
    if column.is_numeric and not present.empty:
        edge_cases += [present.min(), present.max()]
    if column.kind == "category":
        seen = set(present.astype(object))
        edge_cases += [category for category in column.categories or () if category not in seen][:1]
    return edge_cases


def _to_json_value(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if isinstance(value, float) and np.isnan(value) else value

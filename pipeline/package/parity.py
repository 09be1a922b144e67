"""Check that the ONNX form of a classifier predicts what scikit-learn predicts, also on edge cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.modeling.classifier import predicted_classes
from pipeline.package.edge_cases import EdgeCase, rows_with_edge_cases
from pipeline.package.manifest import OnnxProof

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.modeling.classifier import Classifier
    from pipeline.package.onnx_model import OnnxModel
    from pipeline.schema import Column, Schema

__all__ = ["TOLERANCE", "check_onnx_parity", "edge_case_rows", "onnx_classifier"]

TOLERANCE = 1e-5
_UNKNOWN_CATEGORY = "\N{REPLACEMENT CHARACTER} not declared"
_N_BASE_ROWS = 200
# Edge cases: each in 200 rows of a narrow table, in 20 of a wide one, whose rows have several cases.
_MIN_ROWS_EACH = 20
_MIN_EDGE_ROWS, _MAX_EDGE_ROWS, _MAX_EDGE_CELLS = 2_000, 20_000, 5_000_000


def onnx_classifier(classifier: Classifier, model: OnnxModel) -> Classifier:
    """Return `classifier` with its estimator replaced by the ONNX form."""
    return replace(classifier, estimator=model)


def check_onnx_parity(classifier: Classifier, model: OnnxModel, rows: pd.DataFrame) -> OnnxProof:
    """Compare both forms on `rows` and on edge cases made of them, after calibration and threshold.

    Returns
    -------
    OnnxProof
        `used` only when every class is equal and every probability within `TOLERANCE`.
    """
    import pandas as pd

    tried = pd.concat(
        [rows[list(classifier.encoder.feature_names_in_)], edge_case_rows(rows, classifier.schema)], ignore_index=True
    )
    expected = classifier.predict_proba(tried)
    probabilities = onnx_classifier(classifier, model).predict_proba(tried)
    difference = np.abs(expected - probabilities).max(initial=0.0)
    target, threshold = classifier.schema.target, classifier.row_thresholds(tried)
    n_flipped = int(
        (predicted_classes(expected, target, threshold) != predicted_classes(probabilities, target, threshold)).sum()
    )
    if not difference <= TOLERANCE or n_flipped:
        reason = f"its probabilities differ by up to {difference:.1e} and {n_flipped} classes in {len(tried)} rows"
        return OnnxProof(used=False, rows=len(tried), tolerance=TOLERANCE, reason=reason)
    return OnnxProof(used=True, rows=len(tried), tolerance=TOLERANCE)


def edge_case_rows(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return edge cases of `rows`: each feature missing, undeclared or out of range; then all missing."""
    import pandas as pd

    base = rows[list(schema.feature_names)].head(_N_BASE_ROWS).reset_index(drop=True)
    cases = [
        EdgeCase(column.name, value)
        for column in schema.features
        for value in _edge_case_values(column, rows[column.name])
    ]
    if base.empty:
        return base
    max_rows = min(_MAX_EDGE_ROWS, max(_MIN_EDGE_ROWS, _MAX_EDGE_CELLS // len(schema.features)))
    n_rows_each = min(_N_BASE_ROWS, max(_MIN_ROWS_EACH, max_rows // len(cases)))
    changed = rows_with_edge_cases(base, cases, n_rows_each=n_rows_each, max_rows=max_rows)
    empty = {name: pd.Series([None], dtype=base[name].dtype) for name in base}
    return pd.concat([changed, pd.DataFrame(empty)], ignore_index=True)


def _edge_case_values(column: Column, values: pd.Series) -> list[object]:
    if column.kind in ("category", "text"):
        return [None, _UNKNOWN_CATEGORY]
    if not column.is_numeric or values.dropna().empty:
        return [None]
    low, high = values.min(), values.max()
    return [None, low - 1, high + 1, 0]

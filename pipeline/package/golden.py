"""Keep a few rows with their probabilities, so that a loaded package can show that it still answers the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.classifier import Classifier

__all__ = ["check_golden", "golden_rows"]

_TOLERANCE = 1e-6


def golden_rows(classifier: Classifier, frame: pd.DataFrame, score: NDArray[np.float64], n_rows: int) -> dict[str, Any]:
    """Return `n_rows` of `frame` spread evenly over `score`, as columns of plain values, and what is expected."""
    n_rows = min(n_rows, len(frame))
    order = np.argsort(score, kind="stable")
    picked = order[np.linspace(0, len(frame) - 1, n_rows).round().astype(int)]
    rows = frame[list(classifier.encoder.names_in_)].iloc[picked]
    return {
        "columns": {name: [_plain(value) for value in rows[name].astype(object)] for name in rows},
        "probabilities": classifier.predict_proba(rows).tolist(),
        "classes": classifier.predict(rows).tolist(),
    }


def check_golden(golden: Mapping[str, Any], predict_proba: Callable[[Any], NDArray[np.float64]]) -> None:
    """Predict the golden rows again and compare.

    Raises
    ------
    IntegrityError
        When a probability is not what was written.
    """
    try:
        expected = np.array(golden["probabilities"], dtype=np.float64)
        found = predict_proba(golden["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"golden.json: not what a package writes ({error})") from error
    if found.shape != expected.shape or np.abs(found - expected).max(initial=0.0) > _TOLERANCE:
        raise IntegrityError(
            "golden.json: the model no longer answers as it did when it was packaged; other library versions, or damage"
        )


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if isinstance(value, float) and np.isnan(value) else value

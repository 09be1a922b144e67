"""Explain one prediction by occlusion: the contribution of each feature against the training rows.

The contribution of a feature is a difference of probabilities of the predicted class. From the probability of the row
it subtracts the mean probability when the feature alone takes the values of the training rows, by their frequency.
Each bin is represented by one value: a whole number or a category by itself, a range of decimals by its middle. A free
text has no bins: the texts of the golden rows represent it.
A contribution above 0 means that the value supports the predicted class. Contributions need not add up.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.package import Bins, Package
    from pipeline.schema import Column
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.scorer import RowScorer

_OTHER_WORD = "\N{REPLACEMENT CHARACTER} another word"

__all__ = ["explanation_response", "feature_contributions"]

_MAX_TEXTS = 20


def explanation_response(loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes:
    """Return the response of `POST /v1/explain` as JSON, the largest contributions first."""
    label, confidence, contributions = feature_contributions(loaded_model.scorer, row)
    ordered = sorted(contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    body = {
        "prediction": label,
        "confidence": confidence,
        "method": "occlusion against the training rows, one feature at a time",
        "unit": f"probability of {label}",
        "contributions": [{"feature": name, "contribution": contribution} for name, contribution in ordered],
    }
    return f"{json.dumps(body)[:-1]},{loaded_model.response_suffix}}}".encode()


def feature_contributions(scorer: RowScorer, row: tuple[Any, ...]) -> tuple[str, float, dict[str, float]]:
    """Return the predicted class, its probability, and the contribution of each feature that has bins."""
    package = scorer.package
    (scored,) = scorer.score([row])
    label, confidence = scored.label, scored.confidence
    bins_by_name = {bins.name: bins for bins in package.reference.columns}
    rows: list[tuple[Any, ...]] = []
    sections: list[tuple[str, int, np.ndarray[Any, Any]]] = []
    for position, column in enumerate(package.schema.features):
        bins = bins_by_name.get(column.name)
        values, weights = _text_values(package, column) if bins is None else _replacement_values(column, bins)
        if values:
            sections.append((column.name, len(rows), np.array(weights, dtype=np.float64)))
            rows.extend((*row[:position], value, *row[position + 1 :]) for value in values)
    class_index = package.classes.index(label)
    probabilities = scorer.probabilities(rows)[:, class_index] if rows else np.empty(0)
    contributions = {
        name: confidence - float(np.average(probabilities[start : start + len(weights)], weights=weights))
        for name, start, weights in sections
    }
    return label, confidence, contributions


def _text_values(package: Package, column: Column) -> tuple[list[Any], list[int]]:
    """Return a few texts that stand for those of the training rows, with equal weights."""
    golden = package.golden_rows["columns"].get(column.name, [])
    texts = list(dict.fromkeys(text for text in golden if text is not None))[:_MAX_TEXTS]
    return texts, [1] * len(texts)


def _replacement_values(column: Column, bins: Bins) -> tuple[list[Any], list[int]]:
    """Return a value for each bin that holds training rows, and the number of those rows."""
    values: list[Any] = [*_regular_values(column, bins)]
    n_regular = len(values)
    if bins.is_words:
        # Other words of an open column have one code, so any of them has it. Other texts have no value in common.
        values += [_OTHER_WORD if column.accepts_unseen else None, None]
    else:
        lowest, highest = (bins.points[0], bins.points[-1]) if bins.points else (None, None)
        values += [_to_column_kind(column, lowest), _to_column_kind(column, highest)]
        values += [None, None] if bins.kind == "values" else [None]
    pairs = [
        (value, count)
        for index, (value, count) in enumerate(zip(values, bins.counts, strict=True))
        if count
        and (value is not None or index == len(values) - 1)
        and (index < n_regular or column.accepts_unseen or bins.labels[index] not in ("unseen", "other"))
    ]
    return [value for value, _ in pairs], [count for _, count in pairs]


def _regular_values(column: Column, bins: Bins) -> list[Any]:
    if bins.kind == "quantiles":
        middles = [(low + high) / 2 for low, high in zip(bins.points[:-1], bins.points[1:], strict=True)]
        return [_to_column_kind(column, middle) for middle in middles]
    if column.kind == "boolean":
        return [point == "true" for point in bins.points]
    return list(bins.points)


def _to_column_kind(column: Column, number: float | None) -> Any:
    if number is None:
        return None
    if column.kind == "integer":
        return round(number)
    if column.kind == "datetime":
        return str(np.datetime64(int(number), "us"))
    return float(number)

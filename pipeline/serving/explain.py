"""Say what each feature contributed to one answer, by occlusion against the training rows.

The contribution of a feature is the probability of the predicted class for the row as it is, less the mean
of that probability when the feature alone takes the values of the training rows, each as often as it did there.
Values stand for their bins: a whole number or a word for itself, the middle of a bin for a number with decimals.
It is above 0 where the value speaks for the predicted class. Contributions are not forced to add up to anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.package import Bins
    from pipeline.schema import Column
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["explain", "feature_contributions"]


def explain(loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes:
    """Return the answer of `POST /v1/explain` as JSON, the largest contributions first."""
    label, confidence, found = feature_contributions(loaded_model, row)
    ordered = sorted(found.items(), key=lambda item: (-abs(item[1]), item[0]))
    told = {
        "prediction": label,
        "confidence": confidence,
        "method": "occlusion against the training rows, one feature at a time",
        "unit": f"probability of {label}",
        "contributions": [{"feature": name, "contribution": value} for name, value in ordered],
    }
    return f"{json.dumps(told)[:-1]},{loaded_model.response_suffix}}}".encode()


def feature_contributions(loaded_model: LoadedModel, row: tuple[Any, ...]) -> tuple[str, float, dict[str, float]]:
    """Return the predicted class, its probability, and the contribution of each feature that has bins."""
    (answer,) = loaded_model.scorer.score([row])
    label, confidence = answer.label, answer.confidence
    bins = {one.name: one for one in loaded_model.reference.columns}
    rows: list[tuple[Any, ...]] = []
    parts: list[tuple[str, int, np.ndarray[Any, Any]]] = []
    for at, column in enumerate(loaded_model.parser.columns):
        one = bins.get(column.name)
        values, weights = ([], []) if one is None else _replacement_values(column, one)
        if values:
            parts.append((column.name, len(rows), np.array(weights, dtype=np.float64)))
            rows.extend((*row[:at], value, *row[at + 1 :]) for value in values)
    found = loaded_model.scorer.probabilities(rows)[:, loaded_model.classes.index(label)] if rows else np.empty(0)
    return (
        label,
        confidence,
        {
            name: confidence - float(np.average(found[start : start + len(weights)], weights=weights))
            for name, start, weights in parts
        },
    )


def _replacement_values(column: Column, bins: Bins) -> tuple[list[Any], list[int]]:
    """Return a value for each bin that training rows fell into, and how many did."""
    values: list[Any] = [*_regular_values(column, bins)]
    n_regular = len(values)
    if bins.kind == "words":
        values += [None, None]  # unseen; missing
    else:
        lowest, highest = (bins.points[0], bins.points[-1]) if bins.points else (None, None)
        values += [_to_column_kind(column, lowest), _to_column_kind(column, highest)]
        values += [None, None] if bins.kind == "values" else [None]
    pairs = [
        (value, count)
        for at, (value, count) in enumerate(zip(values, bins.counts, strict=True))
        if count and (value is not None or at == len(values) - 1) and (at < n_regular or bins.labels[at] != "unseen")
    ]
    return [value for value, _ in pairs], [count for _, count in pairs]


def _regular_values(column: Column, bins: Bins) -> list[Any]:
    if bins.kind == "quantiles":
        middles = [(low + high) / 2 for low, high in zip(bins.points[:-1], bins.points[1:], strict=True)]
        return [_to_column_kind(column, middle) for middle in middles]
    if column.kind == "boolean":
        return [word == "true" for word in bins.points]
    return list(bins.points)


def _to_column_kind(column: Column, number: float | None) -> Any:
    if number is None:
        return None
    if column.kind == "integer":
        return round(number)
    if column.kind == "datetime":
        return str(np.datetime64(int(number), "us"))
    return float(number)

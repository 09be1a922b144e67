"""Predict what-if rows: each feature alone takes the values of the training rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.package import Bins, Package
    from pipeline.schema import Column
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["WhatIf", "what_if_predictions", "what_if_response"]

_MAX_VALUES = 15
_MAX_ROWS = 20_000
_RESPONSE_FIELDS = ("feature", "value", "probability", "prediction", "is_present")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The prediction when `feature` alone has `value` (as text).

    `probability` is that of the requested class; `is_present` marks the value that the row has. `raw` is the value
    itself, which the response of the API leaves out.
    """

    feature: str
    value: str
    probability: float
    prediction: str
    is_present: bool
    raw: Any


def what_if_response(loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes:
    """Return the response of `POST /v1/what-if` as JSON: each feature varied alone, for the predicted class."""
    (scored,) = loaded_model.scorer.score([row])
    features = dict(zip(loaded_model.schema.feature_names, row, strict=True))
    variations = [
        {name: getattr(variation, name) for name in _RESPONSE_FIELDS}
        for variation in what_if_predictions(loaded_model.package, features, label=scored.label)
    ]
    body = {"prediction": scored.label, "unit": f"probability of {scored.label}", "variations": variations}
    return f"{json.dumps(body)[:-1]},{loaded_model.response_suffix}}}".encode()


def what_if_predictions(package: Package, row: Mapping[str, Any], *, label: str) -> list[WhatIf]:
    """Return the predictions for a row in which one feature at a time takes another value.

    Parameters
    ----------
    package : Package
    row : mapping
        A value for each feature, None where it is missing.
    label : str
        The class whose probability is returned.

    Returns
    -------
    list of WhatIf
        The values of each feature in their order. A feature without bins in the reference is left out.
    """
    bins_by_name = {bins.name: bins for bins in package.reference.columns}
    variations = [
        (column.name, value)
        for column in package.schema.features
        if column.name in bins_by_name
        for value in _values_to_try(column, bins_by_name[column.name], row.get(column.name))
    ][:_MAX_ROWS]
    if not variations:
        return []
    columns = {
        name: [value if name == varied else row.get(name) for varied, value in variations]
        for name in package.schema.feature_names
    }
    probabilities = package.predict_proba(columns)[:, package.classes.index(label)]
    predictions = package.predict(columns)
    return [
        WhatIf(name, _format_value(value), float(probability), str(prediction), value == row.get(name), value)
        for (name, value), probability, prediction in zip(variations, probabilities, predictions, strict=True)
    ]


def _values_to_try(column: Column, bins: Bins, present: Any) -> list[Any]:
    """Return the values to try in their order, with the present one; None comes last where the column is nullable."""
    values = _candidate_values(column, bins)
    if present is not None and present not in values:
        values = sorted([*values, present]) if column.is_numeric or column.kind == "datetime" else [*values, present]
    return [*values, None] if column.nullable else values


def _candidate_values(column: Column, bins: Bins) -> list[Any]:
    if column.kind == "boolean":
        return [point == "true" for point in bins.points]
    if not column.is_numeric:
        return list(bins.points)[:_MAX_VALUES] if bins.is_words else [_to_iso(point) for point in _spread(bins.points)]
    points = _spread(bins.points)
    return list(dict.fromkeys(round(point) if column.kind == "integer" else float(point) for point in points))


def _spread(points: Sequence[Any]) -> list[Any]:
    """Return all points, or a few that are evenly spread where there are many."""
    if len(points) <= _MAX_VALUES:
        return list(points)
    return [points[index] for index in np.unique(np.linspace(0, len(points) - 1, _MAX_VALUES).round().astype(int))]


def _to_iso(moment_us: float) -> str:
    return str(np.datetime64(int(moment_us), "us").astype("datetime64[s]"))


def _format_value(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)

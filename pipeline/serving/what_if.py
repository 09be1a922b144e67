"""Say what would change an answer: each feature alone takes the values that training rows had."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Bins, Package
    from pipeline.schema import Column
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["WhatIf", "what_if", "what_if_response"]

_MAX_VALUES = 15
_MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the model says when `column` has `value` (as text) and the others are as they were.

    `probability` is that of the class that was asked about; `is_present` marks the value that the row has.
    """

    column: str
    value: str
    probability: float
    prediction: str
    is_present: bool


def what_if_response(loaded_model: LoadedModel, row: tuple[Any, ...]) -> bytes:
    """Return the answer of `POST /v1/variation` as JSON: each feature varied alone, for the class that was answered."""
    (answer,) = loaded_model.scorer.score([row])
    named = dict(zip(loaded_model.schema.feature_names, row, strict=True))
    tried = [asdict(one) for one in what_if(loaded_model.package, named, label=answer.label)]
    told = {"prediction": answer.label, "unit": f"probability of {answer.label}", "variations": tried}
    return f"{json.dumps(told)[:-1]},{loaded_model.response_suffix}}}".encode()


def what_if(package: Package, row: Mapping[str, Any], *, label: str) -> list[WhatIf]:
    """Return what the model says when one feature of a row is another, the others as they are.

    Parameters
    ----------
    package : Package
    row : mapping
        A value for each feature, None where it is missing.
    label : str
        The class whose probability is told.

    Returns
    -------
    list of Varied
        For each column its values in their order. A column of which nothing is known is left out.
    """
    found = {bins.name: bins for bins in package.reference.columns}
    tried = [
        (column.name, value)
        for column in package.schema.features
        if column.name in found
        for value in _values_to_try(column, found[column.name], row.get(column.name))
    ][:_MAX_ROWS]
    if not tried:
        return []
    names = package.schema.feature_names
    columns = {name: [value if name == one else row.get(name) for one, value in tried] for name in names}
    probabilities = package.predict_proba(columns)[:, package.classes.index(label)]
    predictions = package.predict(columns)
    return [
        WhatIf(name, _format_value(value), float(probability), str(prediction), value == row.get(name))
        for (name, value), probability, prediction in zip(tried, probabilities, predictions, strict=True)
    ]


def _values_to_try(column: Column, bins: Bins, present: Any) -> list[Any]:
    """Return the values to try in their order, the present one among them; missing last, where it may be."""
    values = _candidate_values(column, bins)
    if present is not None and present not in values:
        values = sorted([*values, present]) if column.is_numeric else [*values, present]
    return [*values, None] if column.nullable else values


def _candidate_values(column: Column, bins: Bins) -> list[Any]:
    if column.kind == "boolean":
        return [word == "true" for word in bins.points]
    if not column.is_numeric:
        return list(bins.points)[:_MAX_VALUES] if bins.kind == "words" else []
    points = list(bins.points)
    if len(points) > _MAX_VALUES:
        points = [points[at] for at in np.unique(np.linspace(0, len(points) - 1, _MAX_VALUES).round().astype(int))]
    return list(dict.fromkeys(round(one) if column.kind == "integer" else float(one) for one in points))


def _format_value(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)

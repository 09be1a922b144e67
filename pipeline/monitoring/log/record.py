"""Bring what people hand in into the form of the log, and what the log holds into plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import files
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.text import iso_timestamp, pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.package import Package

__all__ = [
    "check_class",
    "features_as_json_values",
    "loggable_features",
    "read_feature_importance",
    "window_bounds",
]


def features_as_json_values(features: Any) -> dict[str, Any]:
    """Return the features of one row as plain values; missing ones are None.

    Raises
    ------
    DataError
        When `features` is no mapping, Series or frame of one row, or holds what JSON has no form for.
    """
    if hasattr(features, "iloc") and hasattr(features, "columns"):
        if len(features) != 1:
            raise DataError(
                f"features: {pluralize(len(features), 'row')}; accepted: a frame of one row, log others one by one"
            )
        features = features.iloc[0]
    if hasattr(features, "to_dict"):
        features = features.to_dict()
    if not isinstance(features, Mapping):
        raise DataError(
            f"features: {type(features).__name__}; accepted: a mapping of names, a Series, a frame of one row"
        )
    return {str(name): _to_json_value(str(name), value) for name, value in features.items()}


def _to_json_value(name: str, value: Any) -> Any:
    import pandas as pd

    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str | bool | int | float) or (isinstance(value, float) and math.isinf(value)):
        raise DataError(
            f"features: {name}: {value!r} cannot be logged; accepted: text, finite numbers, truth values, None"
        )
    return value


def loggable_features(row: Mapping[str, Any], package: Package) -> dict[str, Any]:
    """Return what the log may keep of a row by the `store` of each column; values to be hashed are left out here."""
    bins = {one.name: one for one in package.reference.columns}
    kept: dict[str, Any] = {}
    for column in package.schema.features:
        if column.name not in row or column.store in ("drop", "hash"):
            continue
        if column.store == "full":
            kept[column.name] = row[column.name]
        elif column.name in bins:
            kept[column.name] = {"bin": int(bins[column.name].codes([row[column.name]])[0])}
    return kept


def read_feature_importance(root: Path, digest: str) -> dict[str, float]:
    """Return the permutation importance by column that the evaluation of this package found; empty where it is another's."""
    try:
        report = files.read_json(root / paths.EVALUATION_REPORT)
    except DataError:
        return {}
    if report.get("package") != digest:
        return {}
    return {one["column"]: one["mean"] for one in report["importance"] if one["mean"] is not None}


def check_class(field_name: str, value: Any, classes: Sequence[str]) -> None:
    """Raise DataError where a word is none of the classes."""
    if str(value) not in classes:
        raise DataError(f"{field_name}: {value!r} is no class; accepted: {', '.join(classes)}")


def window_bounds(since: int, until: int) -> dict[str, str]:
    """Return a window [since, until) in words."""
    return {"since": iso_timestamp(since), "until": iso_timestamp(until)}

"""Validate one prediction that a caller logs, and write it to the log once."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.errors import Conflict, DataError
from pipeline.project.actor import current_actor
from pipeline.schema.frame_input import as_frame, is_arrow_data
from pipeline.state import PredictionIdTaken, PredictionRow, PredictionWriter
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["MonitoredVersion", "check_class", "log_once", "make_prediction_row"]

_MAX_ID_LENGTH = 36
# A retry agrees in these; the moment, the version in production and the latency may differ.
_CONTENT_FIELDS = ("prediction", "confidence", "probabilities", "features")


@dataclass(frozen=True, slots=True)
class MonitoredVersion:
    """A version of a model with its package, and the generation of the deployment."""

    model: str
    version: int
    package: Package
    generation: int


def make_prediction_row(
    monitored: MonitoredVersion,
    prediction: Any,
    features: Any,
    *,
    confidence: float,
    prediction_id: str | None,
    predicted_at: int,
) -> PredictionRow:
    """Return the row of the log of one prediction.

    Parameters
    ----------
    monitored : MonitoredVersion
        The version that made the prediction.
    prediction : str
        One of its classes.
    features : mapping, Series, or frame of one row of any library
        Each feature is stored as its `store` declares; hashed values are left out.
    confidence : float between 0 and 1
        Probability of the predicted class; the other classes share the rest equally.
    prediction_id : str, optional
        At most 36 characters; a new identifier when None.
    predicted_at : int
        In microseconds since 1970.

    Raises
    ------
    DataError
        When a value has another form.
    """
    package = monitored.package
    check_class("prediction", prediction, package.classes)
    if not 0.0 <= confidence <= 1.0:
        raise DataError(f"confidence: {confidence!r} is not a probability; expected a number from 0 to 1")
    identifier = prediction_id if prediction_id is not None else str(uuid.uuid4())
    if not 0 < len(identifier) <= _MAX_ID_LENGTH:
        raise DataError(f"request_id: has {len(identifier)} characters; expected 1 to {_MAX_ID_LENGTH}")
    other_share = (1.0 - confidence) / max(len(package.classes) - 1, 1)
    probabilities = {name: float(confidence) if name == str(prediction) else other_share for name in package.classes}
    return PredictionRow(
        prediction_id=identifier,
        predicted_at=predicted_at,
        model=monitored.model,
        version=monitored.version,
        digest=package.digest,
        generation=monitored.generation,
        features=json.dumps(_loggable_features(_features_as_json_values(features), package), ensure_ascii=False),
        prediction=str(prediction),
        probabilities=json.dumps(probabilities),
        confidence=float(confidence),
        served_by="production",
        variant="champion",
        source="library",
        latency_us=0,
        weight=1.0,
        idempotency_key=None,
        subject=None,
    )


def log_once(
    state: State, row: PredictionRow, *, outcome: str | None, has_client_id: bool, chosen_version: int | None
) -> None:
    """Write a prediction with its outcome; a retry with the same identifier and content changes nothing.

    The version in production may change between a call and its retry. But where the caller chose a version
    (`chosen_version`, else None), the prediction of another version is another prediction.

    Raises
    ------
    Conflict
        When the identifier belongs to a prediction of another model or version or with other content, or to one with
        another outcome.
    DependencyUnavailable
        When the database cannot be written.
    """
    if outcome is not None and has_client_id:
        _is_known_outcome(state, row.prediction_id, outcome)
    writer = PredictionWriter(state)
    try:
        writer.write([row], has_client_ids=has_client_id)
    except PredictionIdTaken as error:
        _check_is_retry(state, row, error, chosen_version=chosen_version)
    finally:
        writer.close()
    if outcome is not None and not _is_known_outcome(state, row.prediction_id, outcome):
        with state.writing() as connection:
            store.add_outcomes(
                connection, [(row.prediction_id, state.clock(), outcome, "monitor")], caller=current_actor()
            )


def _check_is_retry(state: State, row: PredictionRow, error: PredictionIdTaken, *, chosen_version: int | None) -> None:
    with state.reading() as connection:
        logged = store.find_prediction(connection, row.prediction_id)
    if logged is None:  # it was removed between the two transactions
        raise error
    name = f"request_id: {row.prediction_id!r}"
    if logged.model != row.model:
        raise Conflict(
            f"{name} belongs to a prediction of model {logged.model!r}; an identifier is unique among all models:"
            f" log the prediction of {row.model!r} with another request_id"
        ) from error
    if chosen_version is not None and logged.version != chosen_version:
        raise Conflict(
            f"{name} belongs to a prediction of version {logged.version}; an identifier is unique among all versions:"
            f" log the prediction of version {chosen_version} with another request_id"
        ) from error
    different = [field for field in _CONTENT_FIELDS if getattr(logged, field) != getattr(row, field)]
    if different:
        raise Conflict(
            f"{name} belongs to a prediction with another value of {', '.join(different)}; expected the same values"
            " in a retry: log another prediction with a new request_id"
        ) from error


def _is_known_outcome(state: State, prediction_id: str, outcome: str) -> bool:
    """Whether the log has this outcome of a prediction, perhaps corrected since; another one is a conflict."""
    with state.reading() as connection:
        known = [logged.outcome for logged in store.read_outcomes(connection, prediction_id)]
    if known and outcome not in known:
        raise Conflict(
            f"request_id: {prediction_id!r} has the outcome {known[-1]!r} already; expected the same `actual` in a"
            " retry: correct an outcome with log_outcome"
        )
    return bool(known)


def check_class(field_name: str, value: Any, classes: Sequence[str]) -> None:
    """Raise DataError when a value is not one of the classes."""
    if str(value) not in classes:
        raise DataError(f"{field_name}: {value!r} is not a class; expected one of {', '.join(classes)}")


def _features_as_json_values(features: Any) -> dict[str, Any]:
    """Return the features of one row as JSON values; missing ones are None."""
    if is_arrow_data(features) and not (hasattr(features, "iloc") and not hasattr(features, "columns")):
        features = as_frame(features, name="features")
        if len(features) != 1:
            raise DataError(
                f"features: the frame has {pluralize(len(features), 'row')}; expected one row, log the rows one by one"
            )
        features = features.iloc[0]
    if hasattr(features, "to_dict"):
        features = features.to_dict()
    if not isinstance(features, Mapping):
        raise DataError(
            f"features: {type(features).__name__} is not supported; expected a mapping, a Series or a frame of one row"
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
            f"features: {name}: {value!r} cannot be logged; expected text, a finite number, a boolean or None"
        )
    return value


def _loggable_features(row: Mapping[str, Any], package: Package) -> dict[str, Any]:
    """Return the part of a row that the log stores by the `store` of each column; hashed values are left out."""
    bins_by_name = {bins.name: bins for bins in package.reference.columns}
    logged: dict[str, Any] = {}
    for column in package.schema.features:
        if column.name not in row or column.store in ("drop", "hash"):
            continue
        if column.store == "full":
            logged[column.name] = row[column.name]
        elif column.name in bins_by_name:
            logged[column.name] = {"bin": int(bins_by_name[column.name].codes([row[column.name]])[0])}
    return logged

"""Export found predictions as CSV or JSON Lines, in their order."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from pipeline.text import escape_formula, iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.state.prediction_search import LoggedPrediction

__all__ = ["EXPORT_FORMATS"]

_COPIED_FIELDS = ("version", "prediction", "confidence", "outcome", "source", "variant", "latency_us")


def _csv_bytes(predictions: Iterable[LoggedPrediction]) -> bytes:
    """Return a table with a column for each feature that any prediction has; a missing value is empty.

    People open it in a spreadsheet, so a text that would be calculated there begins with an apostrophe.
    """
    records = [(_fields(prediction), prediction.features) for prediction in predictions]
    names = list(dict.fromkeys(name for _, features in records for name in features))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["prediction_id", "predicted_at", *_COPIED_FIELDS, *map(escape_formula, names)])
    for fields, features in records:
        values = [*fields.values(), *(_cell(features.get(name)) for name in names)]
        writer.writerow([escape_formula(value) if isinstance(value, str) else value for value in values])
    return text.getvalue().encode()


def _json_lines_bytes(predictions: Iterable[LoggedPrediction]) -> bytes:
    """Return a JSON object for each prediction, with its features and probabilities as objects."""
    lines = (
        json.dumps(
            {**_fields(prediction), "probabilities": prediction.probabilities, "features": prediction.features},
            ensure_ascii=False,
        )
        for prediction in predictions
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _fields(prediction: LoggedPrediction) -> dict[str, Any]:
    return {
        "prediction_id": prediction.prediction_id,
        "predicted_at": iso_timestamp(prediction.predicted_at, "milliseconds"),
        **{name: getattr(prediction, name) for name in _COPIED_FIELDS},
    }


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | dict | list) else value


EXPORT_FORMATS: Mapping[str, Callable[[Iterable[LoggedPrediction]], bytes]] = {
    "csv": _csv_bytes,
    "jsonl": _json_lines_bytes,
}

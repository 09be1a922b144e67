"""An export has each found prediction once, with its features and its outcome."""

from __future__ import annotations

import csv
import io
import json

from pipeline.state.found_predictions_export import EXPORT_FORMATS
from pipeline.state.prediction_search import LoggedPrediction


def found(number: int, **features: object) -> LoggedPrediction:
    return LoggedPrediction(
        seq=number, prediction_id=f"id-{number}", predicted_at=1_767_225_600_012_000, model="m", version=1, digest="d",
        prediction="yes", confidence=0.75, probabilities={"yes": 0.75, "no": 0.25}, features=features,
        served_by="production", variant="champion", source="api", latency_us=5, outcome=None,
    )  # fmt: skip


def test_a_csv_has_a_column_for_each_feature_of_any_prediction() -> None:
    text = EXPORT_FORMATS["csv"]([found(1, size=3, note='a,"b"\n'), found(2, flag=True)]).decode()
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["prediction_id"], first["size"], first["note"], first["flag"]) == ("id-1", "3", 'a,"b"\n', "")
    assert (second["predicted_at"], second["flag"], second["size"]) == ("2026-01-01T00:00:00.012Z", "true", "")


def test_a_line_of_json_has_features_and_probabilities() -> None:
    lines = EXPORT_FORMATS["jsonl"](iter([found(1, size=None, word="zoë"), found(2)])).decode().splitlines()
    assert len(lines) == 2
    first = json.loads(lines[0])
    assert first["features"] == {"size": None, "word": "zoë"}
    assert (first["probabilities"], first["outcome"]) == ({"yes": 0.75, "no": 0.25}, None)


def test_a_spreadsheet_calculates_no_text_of_a_csv() -> None:
    texts = ("=HYPERLINK()", "+1", "-1", "@SUM(1)", " =1", "\t1", "\uff1d1", "5 - 3")
    features = {str(number): text for number, text in enumerate(texts)}
    (row,) = csv.DictReader(io.StringIO(EXPORT_FORMATS["csv"]([found(1, n=-1, **features)]).decode()))
    assert [row[name].removeprefix("'") for name in features] == list(texts)
    assert [row[name].startswith("'") for name in features] == [True] * 7 + [False]
    assert row["n"] == "-1"

"""MLServer's codecs send tables, and read a response as a table with a row for each row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.open_inference import parse_request
from tests.fixtures.client_environments import client_environment
from tests.fixtures.server_process import MODEL_NAME
from tests.fixtures.toy_dataset import schema

if TYPE_CHECKING:
    from tests.fixtures.server_process import RunningServer

pytestmark = pytest.mark.xdist_group("protocol clients")

PROGRAM = Path(__file__).with_name("programs") / "mlserver_codecs.py"
ROWS = [
    {"Time_spent_Alone": 4, "Stage_fear": "No"},
    {"Time_spent_Alone": 9, "Stage_fear": "Yes"},
    {"Time_spent_Alone": 2, "Stage_fear": "No"},
]


@pytest.fixture(scope="module")
def calls(protocol_server: RunningServer) -> dict[str, Any]:
    output = client_environment("mlserver").run(str(PROGRAM), protocol_server.address, MODEL_NAME)
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


@pytest.mark.parametrize(
    ("call", "rows"),
    [("texts", ROWS), ("bytes", ROWS), ("missing", [ROWS[0], {"Stage_fear": "Yes"}, ROWS[2]])],
)
def test_a_table_gets_a_table_with_a_column_for_each_class(
    protocol_server: RunningServer, calls: dict[str, Any], call: str, rows: list[dict[str, Any]]
) -> None:
    with protocol_server.client() as client:
        predictions = client.post("/predict/batch", json={"instances": rows}).json()["predictions"]
    table = calls[call]
    assert table["rows"] == 3
    assert table["values"]["prediction"] == [prediction["prediction"] for prediction in predictions]
    for label in ("Extrovert", "Introvert"):
        expected = [prediction["probabilities"][label] for prediction in predictions]
        assert table["values"][f"probability_{label}"] == expected


def test_the_types_of_mlserver_read_metadata_and_errors(calls: dict[str, Any]) -> None:
    assert calls["server"] == "declarative-mlops"
    assert {"prediction", "probabilities", "probability_Extrovert"} <= set(calls["outputs"])
    assert "expected a tensor for each feature, because Stage_fear" in calls["matrix"]


def test_an_array_has_the_features_of_a_numeric_model_in_their_order(calls: dict[str, Any]) -> None:
    numeric = replace(schema(), columns=tuple(each for each in schema().columns if each.name in ("size", "count")))
    request = parse_request(json.dumps(calls["numeric"]).encode(), None, numeric, max_rows=2)
    assert request.columns == {"size": [1.5, 2.5], "count": [1.0, 2.0]}

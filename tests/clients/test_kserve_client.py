"""KServe's clients predict by all three protocols, and get the predictions and the refusals of our own endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.client_environments import client_environment
from tests.fixtures.server_process import MODEL_NAME

if TYPE_CHECKING:
    from tests.fixtures.server_process import RunningServer

pytestmark = pytest.mark.xdist_group("protocol clients")

PROGRAM = Path(__file__).with_name("programs") / "kserve_calls.py"
ROWS = [{"Stage_fear": "No", "Time_spent_Alone": 4}, {"Stage_fear": "Yes", "Time_spent_Alone": 9}]
MISSING = [ROWS[0], {**ROWS[1], "Time_spent_Alone": None}]
RULE = "Time_spent_Alone: expected a whole number from 0 to 11"


@pytest.fixture(scope="module")
def calls(protocol_server: RunningServer) -> dict[str, Any]:
    arguments = (protocol_server.address, protocol_server.grpc_address, MODEL_NAME)
    result: dict[str, Any] = json.loads(client_environment("kserve").run(str(PROGRAM), *arguments).splitlines()[-1])
    return result


def expected(server: RunningServer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    with server.client() as client:
        predictions = client.post("/predict/batch", json={"instances": rows}).json()["predictions"]
    return {
        "prediction": [prediction["prediction"] for prediction in predictions],
        "confidence": [prediction["confidence"] for prediction in predictions],
        "probabilities": [list(prediction["probabilities"].values()) for prediction in predictions],
    }


@pytest.mark.parametrize("protocol", ["v2", "grpc"])
def test_the_client_sees_a_live_and_ready_model(calls: dict[str, Any], protocol: str) -> None:
    seen = {name: calls[protocol][name] for name in ("live", "ready", "model_ready", "other_ready")}
    assert seen == {"live": True, "ready": True, "model_ready": True, "other_ready": False}


@pytest.mark.parametrize(
    ("protocol", "call", "rows"),
    [
        ("v2", "json", ROWS),
        ("v2", "binary", ROWS),
        ("v2", "binary_out", ROWS),
        ("v2", "missing", MISSING),
        ("v2", "missing_binary", MISSING),
        ("grpc", "typed", ROWS),
        ("grpc", "raw", ROWS),
        ("grpc", "missing", MISSING),
    ],
)
def test_the_client_gets_the_predictions_of_a_batch(
    protocol_server: RunningServer, calls: dict[str, Any], protocol: str, call: str, rows: list[dict[str, Any]]
) -> None:
    response = calls[protocol][call]
    assert {name: response[name] for name in ("prediction", "confidence", "probabilities")} == expected(
        protocol_server, rows
    )


def test_the_response_names_the_version(calls: dict[str, Any]) -> None:
    # The client reads it over gRPC alone.
    assert calls["grpc"]["raw"]["version"] == "1"


def test_the_response_repeats_the_id_of_the_request(calls: dict[str, Any]) -> None:
    assert calls["v2"]["id"]["id"] == "r-7"


def test_the_first_protocol_predicts_and_explains(protocol_server: RunningServer, calls: dict[str, Any]) -> None:
    predictions = calls["v1"]["predict"]["predictions"]
    assert (calls["v1"]["live"], calls["v1"]["model_ready"]) == (True, True)
    assert [prediction["confidence"] for prediction in predictions] == expected(protocol_server, ROWS)["confidence"]
    (explanation,) = calls["v1"]["explain"]["explanations"]
    assert {part["feature"] for part in explanation["contributions"]} >= {"Stage_fear", "Time_spent_Alone"}


@pytest.mark.parametrize(("protocol", "status"), [("v2", 422), ("v1", 422), ("grpc", "INVALID_ARGUMENT")])
def test_a_refusal_names_field_and_rule(calls: dict[str, Any], protocol: str, status: Any) -> None:
    code, text = calls[protocol]["refused"]
    assert (code, RULE in text) == (status, True)


@pytest.mark.parametrize(("protocol", "status"), [("v2", 404), ("v1", 404), ("grpc", "NOT_FOUND")])
def test_another_model_is_refused_with_the_name_of_ours(calls: dict[str, Any], protocol: str, status: Any) -> None:
    code, text = calls[protocol]["other"]
    assert (code, f"{MODEL_NAME}, version 1" in text) == (status, True)

"""Triton's client of gRPC works unchanged, hostile messages are refused, and the server stops gracefully."""

from __future__ import annotations

import json
import struct
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.serving.grpc_inference.protocol_messages import SERVICE, message_class
from pipeline.state import open_state
from tests.fixtures.server_process import MODEL_NAME, ROW, RunningServer, run_server, small_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.project_databases import ProjectDatabases

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

OTHER_ROW = {**ROW, "Time_spent_Alone": 9, "Stage_fear": "Yes"}


@pytest.fixture(scope="module")
def project(databases: ProjectDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with small_project(databases, tmp_path_factory) as root:
        yield root


@pytest.fixture(scope="module")
def server(project: Any) -> Iterator[RunningServer]:
    with run_server(project, "--grpc-port", "0") as running_server:
        yield running_server


@pytest.fixture
def client(server: RunningServer) -> Iterator[Any]:
    with triton.InferenceServerClient(server.grpc_address) as grpc_client:
        yield grpc_client


def count_predictions(project: Any) -> int:
    with closing(open_state(project)) as state, state.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM predictions").scalar_one())


def tensors(rows: list[dict[str, Any]]) -> list[Any]:
    inputs = []
    for name, value in ROW.items():
        is_word = isinstance(value, str)
        values = np.array([row[name] for row in rows], dtype=np.object_ if is_word else np.int64)
        tensor = triton.InferInput(name, [len(rows)], "BYTES" if is_word else "INT64")
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    return inputs


def http_predictions(server: RunningServer, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with server.client() as http_client:
        predictions: list[dict[str, Any]] = http_client.post("/predict/batch", json={"instances": rows}).json()[
            "predictions"
        ]
    return predictions


def call(server: RunningServer, method: str, data: bytes) -> Any:
    with grpc.insecure_channel(server.grpc_address) as channel:
        try:
            return channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=10)
        except grpc.RpcError as error:
            return error


def test_the_client_sees_a_live_and_ready_model(client: Any) -> None:
    ready = [client.is_model_ready(MODEL_NAME, version) for version in ("", "1", "9")]
    assert (client.is_server_live(), client.is_server_ready(), ready) == (True, True, [True, True, False])
    metadata = client.get_model_metadata(MODEL_NAME, as_json=True)
    assert {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]} == {
        name: "BYTES" if isinstance(value, str) else "INT64" for name, value in ROW.items()
    }


def test_the_client_gets_the_predictions_of_a_batch(server: RunningServer, client: Any) -> None:
    rows = [ROW, OTHER_ROW, ROW]
    response = client.infer(MODEL_NAME, tensors(rows), model_version="1", request_id="7")
    expected = http_predictions(server, rows)
    assert response.get_response().id == "7"
    assert response.as_numpy("prediction").tolist() == [row["prediction"].encode() for row in expected]
    assert response.as_numpy("probabilities").tolist() == [list(row["probabilities"].values()) for row in expected]


def test_a_call_that_is_not_waited_for_gets_its_response(server: RunningServer, client: Any) -> None:
    done, received = threading.Event(), []

    def keep(result: Any, error: Any) -> None:
        received.append(error or result.as_numpy("confidence").tolist())
        done.set()

    client.async_infer(MODEL_NAME, tensors([ROW]), keep)
    assert done.wait(10)
    assert received == [[row["confidence"] for row in http_predictions(server, [ROW])]]


def test_predictions_are_in_the_log_and_in_the_metrics(server: RunningServer, client: Any) -> None:
    response = client.infer(MODEL_NAME, tensors([ROW]))
    identifier = response.as_numpy("prediction_id").tolist()[0].decode()
    with server.client() as http_client:
        outcome = {"prediction_id": identifier, "outcome": "Introvert"}
        assert http_client.post("/feedback", json=outcome).json() == {"stored": 1}
        assert 'operation="grpc_infer",status="200"' in http_client.get("/metrics").text


def test_a_key_gives_the_stored_prediction(client: Any) -> None:
    key = {"idempotency-key": "grpc-1"}
    first, second = (client.infer(MODEL_NAME, tensors([ROW]), headers=key) for _ in range(2))
    assert first.as_numpy("prediction_id").tolist() == second.as_numpy("prediction_id").tolist()
    with pytest.raises(triton.InferenceServerException, match="this key belongs to another request") as error:
        client.infer(MODEL_NAME, tensors([OTHER_ROW]), headers=key)
    assert error.value.status() == "StatusCode.ALREADY_EXISTS"


@pytest.mark.parametrize(
    ("rows", "options", "status", "text"),
    [
        ([{**ROW, "Time_spent_Alone": 99}], {}, "INVALID_ARGUMENT", "expected a whole number from 0 to 11"),
        ([ROW], {"model_version": "9"}, "NOT_FOUND", f"this server has {MODEL_NAME}, version 1"),
        (
            [ROW],
            {"outputs": [triton.InferRequestedOutput("prediction", class_count=1)]},
            "INVALID_ARGUMENT",
            "the extension classification does not exist here",
        ),
        ([ROW], {"client_timeout": 1e-6}, "DEADLINE_EXCEEDED", ""),
    ],
)
def test_a_refusal_has_a_status_and_the_text_of_http(
    client: Any, rows: list[dict[str, Any]], options: dict[str, Any], status: str, text: str
) -> None:
    with pytest.raises(triton.InferenceServerException) as error:
        client.infer(MODEL_NAME, tensors(rows), **options)
    assert (error.value.status(), text in error.value.message()) == (f"StatusCode.{status}", True)


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=200), is_mutated=st.booleans(), position=st.integers(0, 10_000))
def test_no_bytes_are_an_internal_error(server: RunningServer, data: bytes, is_mutated: bool, position: int) -> None:
    request: Any = message_class("ModelInferRequest")(
        model_name=MODEL_NAME, raw_input_contents=[struct.pack("<q", 4), b"\2\0\0\0No"]
    )
    request.inputs.add(name="Time_spent_Alone", datatype="INT64", shape=[1])
    request.inputs.add(name="Stage_fear", datatype="BYTES", shape=[1])
    valid = request.SerializeToString()
    at = position % len(valid)
    result = call(server, "ModelInfer", valid[:at] + data + valid[at + len(data) :] if is_mutated else data)
    code = result.code() if isinstance(result, grpc.RpcError) else grpc.StatusCode.OK
    assert code in (
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ), result


def test_calls_that_have_started_complete_when_the_server_stops(project: Any) -> None:
    statuses: list[str] = []
    n_before = count_predictions(project)
    with (
        run_server(project, "--grpc-port", "0") as stopping,
        triton.InferenceServerClient(stopping.grpc_address) as grpc_client,
    ):
        started = threading.Event()

        def send() -> None:
            while True:
                try:
                    grpc_client.infer(MODEL_NAME, tensors([ROW]))
                    statuses.append("OK")
                    started.set()
                except triton.InferenceServerException as error:
                    statuses.append(str(error.status()))
                    return

        thread = threading.Thread(target=send)
        thread.start()
        assert started.wait(10)
        code = stopping.stop()
        thread.join(10)
    # gRPC refuses a call that no handler has taken with either status.
    assert (code, statuses[-1] in ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED")) == (0, True)
    assert set(statuses[:-1]) == {"OK"}
    assert count_predictions(project) - n_before == statuses.count("OK")
    assert json.loads((project / "server.log").read_text().splitlines()[-1])["event"] == "stopped"

"""The OpenAPI document and the server agree (Schemathesis), and the client of Triton works unchanged."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as triton

from pipeline.serving.http.authentication import PUBLIC, ROLES
from tests.fixtures.proof import proof_rounds
from tests.fixtures.server_process import MODEL_NAME, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.fixtures.server_process import RunningServer

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

# `--proof=long` gives more than 3,000 cases.
N_EXAMPLES = proof_rounds(3, long=160)
N_CASES = 1_500 if N_EXAMPLES >= 160 else 100
OTHER_ROW = {**ROW, "Time_spent_Alone": 9, "Stage_fear": "Yes"}


# No schema can express the rules of tensors, CSV and Parquet: each feature once, as many values as the shape has.
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--exclude-path-regex", "(infer|batch)$"), id="all"),
        pytest.param(
            ("--include-path-regex", "(infer|batch)$", "--exclude-checks", "positive_data_acceptance"),
            id="tensors and files",
        ),
    ],
)
def test_schemathesis_finds_no_fault_in_any_phase(
    server: RunningServer, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{server.address}/openapi.json",
        "--max-examples",
        str(N_EXAMPLES),
        "--seed",
        "1",
        *options,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    match = re.search(r"([\d,]+) generated", done.stdout)
    assert match is not None
    n_cases = int(match[1].replace(",", ""))
    print(f"\nSchemathesis: {n_cases} cases")
    assert n_cases >= N_CASES


def test_every_operation_has_a_role_and_bodies_have_the_types_of_the_schema(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    roles = {operation["x-required-role"] for methods in document["paths"].values() for operation in methods.values()}
    assert roles <= {PUBLIC, *ROLES}
    features = document["components"]["schemas"]["Features"]
    assert set(features["properties"]) == {*ROW, "Personality"}  # a declared column that is no feature is ignored
    assert features["properties"]["Time_spent_Alone"] == {
        "title": "Time spent alone",
        "type": ["integer", "null"],
        "description": "Time alone on a usual day. Unit: hours per day",
        "x-unit": "hours per day",
        "examples": [4],
        "minimum": 0,
        "maximum": 11,
    }
    assert features["properties"]["Stage_fear"]["enum"] == ["No", "Yes", None]
    assert features["examples"] == [ROW]


@pytest.fixture
def v2(server: RunningServer) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield client
    client.close()


def tensors(rows: list[dict[str, Any]], *, is_binary: bool, is_column: bool = False) -> list[Any]:
    inputs = []
    for name in ROW:
        is_word = isinstance(ROW[name], str)
        values = np.array([row[name] for row in rows], dtype=np.object_ if is_word else np.int64)
        shaped = values.reshape(-1, 1) if is_column else values
        tensor = triton.InferInput(name, list(shaped.shape), "BYTES" if is_word else "INT64")
        tensor.set_data_from_numpy(shaped, binary_data=is_binary)
        inputs.append(tensor)
    return inputs


def test_tritons_client_sees_a_live_and_ready_model(v2: Any) -> None:
    assert v2.is_server_live()
    assert v2.is_server_ready()
    assert v2.is_model_ready(MODEL_NAME)
    assert v2.is_model_ready(MODEL_NAME, "1")
    assert not v2.is_model_ready("another")
    assert v2.get_server_metadata()["name"] == "declarative-mlops"
    metadata = v2.get_model_metadata(MODEL_NAME)
    assert {tensor["name"]: tensor["datatype"] for tensor in metadata["inputs"]} == {
        name: "BYTES" if isinstance(value, str) else "INT64" for name, value in ROW.items()
    }


@pytest.mark.parametrize("is_column", [False, True])
@pytest.mark.parametrize("is_binary_out", [False, True])
@pytest.mark.parametrize("is_binary_in", [False, True])
def test_tritons_client_gets_the_predictions_of_a_batch(
    v2: Any, client: httpx.Client, is_binary_in: bool, is_binary_out: bool, is_column: bool
) -> None:
    rows = [ROW, OTHER_ROW, ROW]
    names = ("prediction", "probabilities", "prediction_id")
    outputs = [triton.InferRequestedOutput(name, binary_data=is_binary_out) for name in names]
    response = v2.infer(
        MODEL_NAME, tensors(rows, is_binary=is_binary_in, is_column=is_column), outputs=outputs, request_id="7"
    )
    expected = client.post("/predict/batch", json={"instances": rows}).json()["predictions"]
    labels = [
        label.decode() if isinstance(label, bytes) else label for label in response.as_numpy("prediction").tolist()
    ]
    assert labels == [prediction["prediction"] for prediction in expected]
    assert response.as_numpy("probabilities").tolist() == [
        list(prediction["probabilities"].values()) for prediction in expected
    ]
    assert len(set(response.as_numpy("prediction_id").tolist())) == 3
    assert response.get_response()["id"] == "7"


def test_a_compressed_request_and_one_that_repeats_the_model_get_the_same_predictions(
    v2: Any, client: httpx.Client
) -> None:
    inputs = tensors([ROW, OTHER_ROW], is_binary=True)
    expected = v2.infer(MODEL_NAME, inputs).as_numpy("confidence").tolist()
    compressed = v2.infer(MODEL_NAME, inputs, request_compression_algorithm="gzip")
    assert compressed.as_numpy("confidence").tolist() == expected
    body = {
        "model_name": MODEL_NAME,
        "inputs": [{"name": name, "shape": [1], "datatype": "BYTES", "data": [ROW[name]]} for name in ("Stage_fear",)],
    }
    assert client.post(f"/v2/models/{MODEL_NAME}/infer", json=body).status_code == 200
    refused = client.post(f"/v2/models/{MODEL_NAME}/infer", json={**body, "model_version": "9"})
    assert (refused.status_code, f"this server has {MODEL_NAME}, version 1" in refused.text) == (404, True)


def test_a_call_that_is_not_waited_for_and_a_missing_word_get_their_predictions(v2: Any, client: httpx.Client) -> None:
    inputs = tensors([{**ROW, "Stage_fear": ""}], is_binary=True)
    pending = v2.async_infer(MODEL_NAME, inputs, request_compression_algorithm="gzip")
    expected = client.post("/predict", json={"features": {**ROW, "Stage_fear": None}}).json()
    assert pending.get_result(timeout=10).as_numpy("confidence").tolist() == [expected["confidence"]]


@pytest.mark.parametrize("name", ["get_model_config", "get_inference_statistics", "get_trace_settings"])
def test_an_extension_of_triton_is_refused_in_a_short_message(v2: Any, name: str) -> None:
    with pytest.raises(triton.InferenceServerException, match=r"\[404\] known paths: /v2/models/{model}, ") as error:
        getattr(v2, name)(MODEL_NAME)
    assert len(error.value.message()) < 400


def test_an_extension_of_an_output_is_refused(v2: Any) -> None:
    outputs = [triton.InferRequestedOutput("prediction", class_count=1)]
    with pytest.raises(triton.InferenceServerException, match="the extension classification does not exist here"):
        v2.infer(MODEL_NAME, tensors([ROW], is_binary=True), outputs=outputs)


def test_tritons_client_gets_the_reason_of_a_refusal(v2: Any) -> None:
    with pytest.raises(
        triton.InferenceServerException, match=r"\[422\] .*Time_spent_Alone: expected a whole number from 0 to 11"
    ):
        v2.infer(MODEL_NAME, tensors([{**ROW, "Time_spent_Alone": 99}], is_binary=True))


def test_numbers_with_decimals_and_nan_stand_for_whole_numbers_and_missing_ones(v2: Any, client: httpx.Client) -> None:
    inputs = tensors([ROW, OTHER_ROW], is_binary=True)
    other = triton.InferInput("Time_spent_Alone", [2], "FP32")
    other.set_data_from_numpy(np.array([4.0, np.nan], dtype=np.float32))
    response = v2.infer(MODEL_NAME, [other, *inputs[1:]])
    rows = [ROW, {**OTHER_ROW, "Time_spent_Alone": None}]
    expected = client.post("/predict/batch", json={"instances": rows}).json()["predictions"]
    assert response.as_numpy("confidence").tolist() == [prediction["confidence"] for prediction in expected]

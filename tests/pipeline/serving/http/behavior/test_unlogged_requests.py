"""An opted-out request gets its prediction, and leaves nothing in the prediction log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.server_process import MODEL_NAME, ROW

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.xdist_group("serving")


def read_row_counters(client: httpx.Client) -> dict[str, str]:
    lines = client.get("/metrics").text.splitlines()
    names = ("mlops_prediction_log_rows_total", "mlops_predictions_total")
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith(names))


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", f"/v2/models/{MODEL_NAME}/infer"])
def test_a_request_that_opts_out_gets_its_response_and_is_neither_logged_nor_counted(
    client: httpx.Client, path: str
) -> None:
    tensors = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in ROW.items()
    ]
    body = {"/predict": {"features": ROW}, "/predict/batch": {"instances": [ROW]}}.get(path, {"inputs": tensors})
    before = read_row_counters(client)
    response = client.post(f"{path}?log=false", json=body)
    opted_out = f'mlops_prediction_log_rows_total{{model="{MODEL_NAME}",result="opted_out"}}'
    assert response.status_code == 200
    assert read_row_counters(client) == {**before, opted_out: str(float(before[opted_out]) + 1)}


@pytest.mark.parametrize("path", ["/v1/explain", "/v1/what-if"])
def test_trying_the_model_is_neither_logged_nor_counted_as_predictions(client: httpx.Client, path: str) -> None:
    before = read_row_counters(client)
    assert client.post(path, json={"features": ROW}).status_code == 200
    assert read_row_counters(client) == before


def test_a_request_that_opts_out_stores_no_response(client: httpx.Client) -> None:
    responses = [
        client.post("/predict?log=false", json={"features": ROW}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [response.status_code for response in responses] == [200, 200]
    assert len({response.json()["prediction_id"] for response in responses}) == 2

"""The behavior of each endpoint over HTTP of a running server."""

from __future__ import annotations

import io
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from tests.fixtures.server_process import MODEL_NAME, ROW

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.fixtures.server_process import RunningServer

pytestmark = pytest.mark.xdist_group("serving")

OTHER_ROW = {**ROW, "Time_spent_Alone": 9, "Stage_fear": "Yes", "Going_outside": None}


def rows(n: int) -> list[dict[str, Any]]:
    return [ROW if at % 2 else OTHER_ROW for at in range(n)]


def without_ids(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {key: item[key] for key in ("prediction", "confidence", "probabilities")} for item in response["predictions"]
    ]


def test_a_prediction_identifies_its_model(client: httpx.Client) -> None:
    response = client.post("/predict", json={"features": ROW}).json()
    assert set(response) == {
        "prediction",
        "confidence",
        "probabilities",
        "prediction_id",
        "warnings",
        "model_name",
        "model_version",
        "model_digest",
        "generation",
        "served_by",
        "variant",
    }
    assert response["probabilities"][response["prediction"]] == response["confidence"]
    assert sum(response["probabilities"].values()) == pytest.approx(1)
    assert (response["model_name"], response["model_version"], response["served_by"]) == (MODEL_NAME, 1, "production")


def test_a_batch_is_predicted_in_order_with_an_id_for_each_row(client: httpx.Client) -> None:
    response = client.post("/predict/batch", json={"instances": rows(10)}).json()
    singles = [client.post("/predict", json={"features": row}).json()["confidence"] for row in (OTHER_ROW, ROW)]
    assert [item["confidence"] for item in response["predictions"]] == singles * 5
    assert len({item["prediction_id"] for item in response["predictions"]}) == 10


def _csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    csv.write_csv(table, sink)
    return sink.getvalue()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def _arrow_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _arrow_file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


ENCODERS: dict[str, Callable[[pa.Table], bytes]] = {
    "text/csv": _csv,
    "application/vnd.apache.parquet": _parquet,
    "application/vnd.apache.arrow.stream": _arrow_stream,
    "application/vnd.apache.arrow.file": _arrow_file,
}


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_batch_in_another_format_gets_the_same_predictions(client: httpx.Client, kind: str) -> None:
    table = pa.Table.from_pylist(rows(20))
    response = client.post("/predict/batch", content=ENCODERS[kind](table), headers={"Content-Type": kind})
    expected = client.post("/predict/batch", json={"instances": rows(20)}).json()
    assert without_ids(response.json()) == without_ids(expected)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"nonsense", b"PAR1nonsensePAR1", b"ARROW1\x00\x00nonsense"])
def test_malformed_bodies_of_each_format_are_refused(client: httpx.Client, kind: str, body: bytes) -> None:
    response = client.post("/predict/batch", content=body, headers={"Content-Type": kind})
    assert (response.status_code, response.headers["content-type"]) in [
        (status, "application/problem+json") for status in (400, 422)
    ]


def test_a_bad_cell_of_csv_is_named_by_its_line(client: httpx.Client) -> None:
    text = _csv(pa.Table.from_pylist(rows(3))).decode().replace("\n4,", "\nfour,", 1)
    response = client.post("/predict/batch", content=text.encode(), headers={"Content-Type": "text/csv"}).json()
    assert response["problems"][0]["path"] == "line 3.Time_spent_Alone"


def test_a_bad_row_refuses_the_batch_and_is_named(client: httpx.Client) -> None:
    bad = [*rows(17), {**ROW, "Time_spent_Alone": 99}]
    response = client.post("/predict/batch", json={"instances": bad})
    assert (response.status_code, response.json()["problems"][0]["path"]) == (422, "instances[17].Time_spent_Alone")


def test_with_partial_valid_rows_are_predicted_and_bad_rows_are_named(client: httpx.Client) -> None:
    bad = [ROW, {**ROW, "Time_spent_Alone": 99}, ROW]
    response = client.post("/predict/batch?on_error=partial", json={"instances": bad}).json()
    assert ["prediction" in item for item in response["predictions"]] == [True, False, True]
    assert response["predictions"][1]["problems"][0]["path"] == "instances[1].Time_spent_Alone"


def test_with_partial_bad_csv_lines_are_named_and_the_others_predicted(
    client: httpx.Client,
) -> None:
    header, *good = _csv(pa.Table.from_pylist(rows(3))).decode().splitlines()
    cells = good[0].split(",")
    unread, far = (",".join([word, *cells[1:]]) for word in ("four", "99"))
    body = "\n".join([header, good[0], unread, good[1], "1,2", far, good[2]]).encode()
    response = client.post("/predict/batch?on_error=partial", content=body, headers={"Content-Type": "text/csv"}).json()
    expected = client.post("/predict/batch", json={"instances": rows(3)}).json()["predictions"]
    items = response["predictions"]
    assert [items[at]["confidence"] for at in (0, 2, 5)] == [item["confidence"] for item in expected]
    assert [items[at]["problems"][0]["path"] for at in (1, 3, 4)] == [
        "line 3.Time_spent_Alone",
        "line 5.2",
        "line 6.Time_spent_Alone",
    ]
    assert (len(items), response["n_refused"]) == (6, 3)


@pytest.mark.parametrize("body", ["Time_spent_Alone,other\n4,4\n", "{header}\n{bad}\n", "{header}\n"])
def test_partial_csv_without_a_valid_row_is_refused(client: httpx.Client, body: str) -> None:
    header, line = _csv(pa.Table.from_pylist(rows(1))).decode().splitlines()
    text = body.format(header=header, bad=f"four,{line.partition(',')[2]}")
    headers = {"Content-Type": "text/csv"}
    response = client.post("/predict/batch?on_error=partial", content=text.encode(), headers=headers)
    assert (response.status_code, response.json()["problems"][0]["path"][:5]) == (422, "line ")


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if kind != "text/csv"])
def test_with_partial_bad_table_rows_are_named_and_the_others_predicted(client: httpx.Client, kind: str) -> None:
    table = pa.Table.from_pylist([ROW, {**ROW, "Time_spent_Alone": 99}, ROW])
    headers = {"Content-Type": kind}
    response = client.post("/predict/batch?on_error=partial", content=ENCODERS[kind](table), headers=headers).json()
    assert ["prediction" in item for item in response["predictions"]] == [True, False, True]
    assert response["predictions"][1]["problems"][0]["path"] == "rows[1].Time_spent_Alone"


def test_an_unknown_value_of_on_error_names_the_known_values(client: httpx.Client) -> None:
    response = client.post("/predict/batch?on_error=skip", json={"instances": [ROW]})
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "query parameter on_error: expected one of refuse, partial",
    )


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (
            "/predict/batch?onerror=partial",
            "a query parameter is unknown; expected on_error, log, source; did you mean 'on_error'?",
        ),
        ("/predict?on_error=partial", "a query parameter is unknown; expected log, source"),
    ],
)
def test_a_misspelled_parameter_is_refused(client: httpx.Client, path: str, detail: str) -> None:
    response = client.post(path, json={"instances": [ROW]})
    assert (response.status_code, response.json()["detail"]) == (400, detail)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/predict", {"instances": [ROW]}, "send instances to POST /predict/batch"),
        ("/predict/batch", {"features": ROW}, "send features to POST /predict"),
        ("/predict", ROW, 'the body is {"features": ...} with an object of features by name'),
        ("/predict/batch", [ROW], 'the body is {"instances": ...} with a list of objects'),
    ],
)
def test_a_body_for_another_path_is_refused_with_the_right_path(
    client: httpx.Client, path: str, body: Any, message: str
) -> None:
    assert message in client.post(path, json=body).json()["detail"]


def test_an_empty_body_is_refused_with_an_example(client: httpx.Client) -> None:
    response = client.post("/predict", headers={"Content-Type": "application/json"})
    assert (response.status_code, "the body is empty; with curl, send it with -d" in response.json()["detail"]) == (
        400,
        True,
    )


@pytest.mark.parametrize("names", [["Time_spent_Alone"], ["Stage_fear", "Going_outside"]])
def test_columns_of_csv_that_are_absent_are_missing_values(client: httpx.Client, names: list[str]) -> None:
    some = [{name: row[name] for name in names} for row in rows(4)]
    body = _csv(pa.Table.from_pylist(some))
    response = client.post("/predict/batch", content=body, headers={"Content-Type": "text/csv"})
    expected = client.post("/predict/batch", json={"instances": some})
    assert without_ids(response.json()) == without_ids(expected.json())


def test_a_misspelled_csv_column_is_named_with_a_suggestion(client: httpx.Client) -> None:
    response = client.post("/predict/batch", content=b"Stage_fears,x\nNo,1\n", headers={"Content-Type": "text/csv"})
    first = response.json()["problems"][0]
    assert (response.status_code, first["path"]) == (422, "line 1.Stage_fears")
    assert "did you mean 'Stage_fear'?" in first["message"]


def test_a_missing_value_is_null_or_absent(client: httpx.Client) -> None:
    absent = {name: value for name, value in ROW.items() if name != "Stage_fear"}
    responses = [
        client.post("/predict", json={"features": row}).json()["confidence"]
        for row in (absent, {**ROW, "Stage_fear": None})
    ]
    assert responses[0] == responses[1]


def test_a_wrong_field_from_curl_gets_an_actionable_problem(server: RunningServer) -> None:
    body = json.dumps({"features": {**ROW, "Stage_fears": "No", "Post_frequency": "often"}})
    done = subprocess.run(
        ["curl", "-s", "-X", "POST", f"{server.address}/predict", "-H", "Content-Type: application/json", "-d", body],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "did you mean 'Stage_fear'?" in done.stdout
    assert "features.Post_frequency: expected a whole number from 0 to 10 (unit: scale from 0 to 10)" in done.stdout
    assert "often" not in done.stdout


def test_curl_without_a_content_type_gets_the_header_to_add(server: RunningServer) -> None:
    done = subprocess.run(
        ["curl", "-s", "-X", "POST", f"{server.address}/predict", "-d", '{"features": {}}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "with curl, add -H 'Content-Type: application/json'" in done.stdout


def test_a_retry_with_its_key_gets_the_stored_response(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-66"}
    first, second = (client.post("/predict", json={"features": ROW}, headers=headers).json() for _ in range(2))
    assert first == second
    other = client.post("/predict", json={"features": OTHER_ROW}, headers=headers)
    assert (other.status_code, other.json()["problems"][0]["rule"]) == (409, "idempotency_key")


def test_a_key_in_quotes_is_the_key_and_quotes_alone_are_a_key_too(client: httpx.Client) -> None:
    def ask(key: str) -> Any:
        response = client.post("/predict", json={"features": ROW}, headers={"Idempotency-Key": key})
        assert response.status_code == 200
        return response.json()["prediction_id"]

    assert ask('"order-67"') == ask("order-67")
    assert len({ask(key) for key in ('"', '""', '"order-67', "order-67")}) == 4


def test_feedback_is_accepted_for_a_known_prediction_only(client: httpx.Client) -> None:
    known = client.post("/predict", json={"features": ROW}).json()["prediction_id"]
    outcome = {"prediction_id": known, "outcome": "Extrovert"}
    assert client.post("/feedback", json=outcome).json() == {"stored": 1}
    assert client.post("/feedback", json={"outcomes": [outcome, outcome]}).json() == {"stored": 1}
    response = client.post("/feedback", json={"prediction_id": "nobody", "outcome": "Extrovert"})
    assert (response.status_code, response.json()["problems"][0]) == (
        404,
        {"path": "prediction_id", "rule": "unknown", "message": "no such prediction is in the log"},
    )


def test_a_misspelled_feedback_field_is_named_with_a_suggestion(client: httpx.Client) -> None:
    response = client.post("/feedback", json={"predictionid": "nobody", "outcome": "Extrovert"}).json()
    assert "did you mean 'prediction_id'?" in response["detail"]


def test_an_explanation_has_a_contribution_of_each_feature(client: httpx.Client) -> None:
    response = client.post("/v1/explain", json={"features": ROW}).json()
    assert {item["feature"] for item in response["contributions"]} == set(ROW)


def test_probes_name_the_production_model(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"live": True}
    assert client.get("/readyz").json() == {"status": "ok", "ready": True}
    assert client.get("/health").json()["model_version"] == 1
    assert [client.get(f"/v2/health/{word}").status_code for word in ("live", "ready")] == [200, 200]


def test_the_models_endpoint_returns_schema_and_card(client: httpx.Client) -> None:
    active = client.get("/v1/models").json()["active"]
    assert [item["name"] for item in active["schema"]["columns"]] == list(ROW)
    assert active["card"].startswith("#")


def test_responses_have_a_request_id_and_no_server_version(client: httpx.Client) -> None:
    with_id = client.get("/livez", headers={"X-Request-Id": "abc-1"})
    with_invalid_id = client.get("/livez", headers={"X-Request-Id": "a b<script>"})
    assert with_id.headers["x-request-id"] == "abc-1"
    assert "script" not in with_invalid_id.headers["x-request-id"]
    assert "server" not in with_id.headers
    assert (with_id.headers["x-content-type-options"], with_id.headers["cache-control"]) == ("nosniff", "no-store")


def test_head_is_get_without_a_body(client: httpx.Client) -> None:
    response = client.head("/health")
    assert (response.status_code, response.content, int(response.headers["content-length"]) > 10) == (200, b"", True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:5000"}, 200),
        ({"Origin": "http://localhost:8501"}, 403),
        ({"Host": "localhost:5000", "Origin": "http://localhost:5000"}, 200),
    ],
)
def test_requests_from_other_sites_are_refused(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    assert client.post("/predict", json={"features": ROW}, headers=headers).status_code == status


def test_the_docs_page_loads_nothing_from_other_servers(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert "/predict/batch" in page.text
    assert re.findall(r"(?:src|href)\s*=\s*['\"]?(https?:)?//", page.text) == []
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: RunningServer, client: httpx.Client) -> None:
    response = client.post("/predict/batch", content=b" " * 32_000_001, headers={"Content-Type": "application/json"})
    assert (response.status_code, "at most 32,000,000 bytes" in response.json()["detail"]) == (413, True)


def test_too_many_rows_are_refused_in_every_format(client: httpx.Client) -> None:
    many = rows(10_001)
    assert client.post("/predict/batch", json={"instances": many}).status_code == 413
    table = pa.Table.from_pylist(many)
    for kind, form in ENCODERS.items():
        assert client.post("/predict/batch", content=form(table), headers={"Content-Type": kind}).status_code == 413


def test_no_value_of_a_request_reaches_the_log(server: RunningServer, client: httpx.Client) -> None:
    secret = "Zanzibar-77"
    client.post("/predict", json={"features": {**ROW, "Stage_fear": secret}})
    client.post("/predict", json={"features": ROW}, headers={"X-Subject-Id": secret, "Idempotency-Key": secret})
    client.post("/predict?a=" + secret, content=secret, headers={"Content-Type": "application/json"})
    log = (server.root / "server.log").read_text()
    assert '"problem": "invalid-rows"' in log
    assert secret not in log

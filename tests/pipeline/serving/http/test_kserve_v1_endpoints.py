from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.application import ServerStatus
from pipeline.serving.http.authentication import ANONYMOUS
from pipeline.serving.http.kserve_v1_endpoints import KserveV1Endpoints, rows_as_objects
from pipeline.serving.http.messages import HttpRequest
from pipeline.serving.http.router import declared_routes
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody
from tests.fixtures.registered_project import NAME, make_engine, make_rows
from tests.fixtures.toy_dataset import schema

if TYPE_CHECKING:
    from pathlib import Path

ROW = [1.5, 2, "red", True, "2026-01-01", None]
OBJECT = {"size": 1.5, "count": 2, "colour": "red", "is_new": True, "seen_at": "2026-01-01", "note": None}


def convert(body: bytes, max_rows: int = 10) -> bytes:
    return rows_as_objects(body, schema(), max_rows=max_rows)


@pytest.mark.parametrize("rows", [[ROW], [ROW, OBJECT], [OBJECT, ROW]])
def test_a_list_has_the_features_in_their_order(rows: list[Any]) -> None:
    assert json.loads(convert(json.dumps({"instances": rows}).encode())) == {"instances": [OBJECT] * len(rows)}


@pytest.mark.parametrize(
    "body", [json.dumps({"instances": [OBJECT]}).encode(), b"no JSON", b'{"rows": []}', b'{"instances": 3}', b"[" * 9]
)
def test_a_body_without_lists_is_left_to_the_engine(body: bytes) -> None:
    assert convert(body) is body


def test_a_list_of_another_length_is_refused_with_the_order() -> None:
    with pytest.raises(InvalidRequest, match=r"instances\[1\]: has 2 values; expected 6, in the order size, count"):
        convert(json.dumps({"instances": [ROW, ROW[:2]]}).encode())


def test_a_list_is_strict_json() -> None:
    with pytest.raises(MalformedBody):
        convert(b'{"instances": [[1]], "instances": [[2]]}')
    with pytest.raises(BodyTooLarge):
        convert(b'{"instances": [[' + b"1," * 1_000_000 + b"1]]}", max_rows=1)


def test_the_verbs_of_a_model_are_part_of_its_path() -> None:
    assert [(route.method, route.path, route.role) for route in declared_routes(KserveV1Endpoints)] == [
        ("GET", "/v1/models/{model}", "public"),
        ("POST", "/v1/models/{model}:predict", "predict"),
        ("POST", "/v1/models/{model}:explain", "predict"),
    ]


def explain(root: Path, body: bytes) -> bytes:
    """Return the response of `:explain` for a body."""

    async def run() -> bytes:
        engine = make_engine(root)
        await engine.start()
        try:
            endpoints = KserveV1Endpoints(engine, ServerStatus(), max_rows=1000)
            names = {"model": NAME}
            request = HttpRequest("POST", f"/v1/models/{NAME}:explain", b"", {}, "r-1", ANONYMOUS, names, body)
            return (await endpoints.v1_explain(request)).body
        finally:
            await engine.close()

    return asyncio.run(run())


def test_each_row_gets_its_explanation(project: Path) -> None:
    rows = make_rows(2)
    explanations = json.loads(explain(project, json.dumps({"instances": [rows[0], [*rows[1].values()]]}).encode()))
    assert len(explanations["explanations"]) == 2
    assert {part["feature"] for part in explanations["explanations"][1]["contributions"]} == {*rows[1]}


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"instances": []}, InvalidRequest, r"body: expected \{\"instances\": \[...\]\}"),
        ({"instances": [{}], "rows": []}, InvalidRequest, "body: expected"),
        ([], InvalidRequest, "body: expected"),
        ({"instances": [{}, {"size": 3}]}, InvalidRequest, r"instances\[1\].size: is not a feature of this model"),
        ({"instances": [{}] * 101}, BodyTooLarge, "at most 100 rows at a time are explained"),
    ],
)
def test_an_explanation_of_other_rows_is_refused(
    project: Path, body: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        explain(project, json.dumps(body).encode())

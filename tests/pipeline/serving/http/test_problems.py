"""Each error class of the engine has one row in the table of problem types, and the engine knows no HTTP status."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Conflict, DependencyUnavailable, IntegrityError, MlopsError
from pipeline.serving import serving_errors
from pipeline.serving.http import problems
from pipeline.serving.serving_errors import ServingError
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

STATUSES = {400, 404, 409, 413, 422, 503}
ENGINE_FILES = sorted(
    path
    for path in (ROOT / "pipeline/serving").rglob("*.py")
    if not {"http", "grpc_inference"} & set(path.relative_to(ROOT / "pipeline/serving").parts)
)


def error_classes(base: type[ServingError]) -> list[type[ServingError]]:
    return [base, *(found for child in base.__subclasses__() for found in error_classes(child))]


def numbers(path: Path) -> set[int]:
    """Return the whole numbers of a file, without those that a length is compared with."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    compared = {
        id(constant) for node in ast.walk(tree) if isinstance(node, ast.Compare) for constant in node.comparators
    }
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in compared]
    return {constant.value for constant in constants if type(constant.value) is int}


def test_every_error_class_of_the_engine_is_in_the_table() -> None:
    listed = {error for row in problems._PROBLEM_TYPES.values() for error in row.raised_as}
    assert set(error_classes(ServingError)) - {ServingError} - listed == set()


def test_no_error_class_is_listed_twice() -> None:
    listed = [error for row in problems._PROBLEM_TYPES.values() for error in row.raised_as]
    assert len(listed) == len(set(listed))


def test_no_file_of_the_engine_contains_a_status() -> None:
    assert {path.name: numbers(path) & STATUSES for path in ENGINE_FILES if numbers(path) & STATUSES} == {}


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (serving_errors.MalformedBody.for_field("", "json", "the body is empty"), "invalid-json", 400),
        (serving_errors.BodyTooLarge.for_field("rows", "max_rows", "has 6 rows"), "too-large", 413),
        (serving_errors.InvalidRequest.for_field("rows[0]", "type", "expected an object"), "invalid-rows", 422),
        (
            serving_errors.IdempotencyConflict.for_field("Idempotency-Key", "idempotency_key", "taken"),
            "key-conflict",
            409,
        ),
        (
            serving_errors.UnknownPrediction.for_field("prediction_id", "unknown", "no such id"),
            "unknown-prediction",
            404,
        ),
        (Conflict("another process holds the lock"), "conflict", 409),
        (IntegrityError("bytes differ"), "bug", 500),
        (MlopsError("a fault"), "bug", 500),
        (ValueError("a fault"), "bug", 500),
    ],
)
def test_an_error_becomes_the_problem_of_its_class(error: Exception, kind: str, status: int) -> None:
    problem = problems.problem_from_error(error)
    assert (problem.kind, problem.status) == (kind, status)


@pytest.mark.parametrize("error_class", error_classes(serving_errors.NotReady))
def test_an_engine_that_is_not_ready_names_the_seconds_to_wait(error_class: type[serving_errors.NotReady]) -> None:
    problem = problems.problem_from_error(error_class("try again", retry_after_s=7))
    assert (problem.kind, problem.status, problem.headers) == ("not-ready", 503, {"Retry-After": "7"})


def test_the_message_of_a_dependency_stays_in_the_server() -> None:
    problem = problems.problem_from_error(DependencyUnavailable("postgresql://secret@host is down"))
    assert (problem.kind, problem.headers) == ("not-ready", {"Retry-After": "2"})
    assert "secret" not in problem.detail


def test_a_document_lists_twenty_faults_and_counts_all() -> None:
    faults = [serving_errors.FieldError(f"rows[{at}]", "type", "expected a number") for at in range(30)]
    problem = problems.problem_from_error(serving_errors.InvalidRequest(faults))
    document = json.loads(problems.problem_document(problem, request_id="r1"))
    assert (len(document["problems"]), document["n_problems"], document["status"]) == (20, 30, 422)
    assert document["problems"][0] == {"path": "rows[0]", "rule": "type", "message": "expected a number"}

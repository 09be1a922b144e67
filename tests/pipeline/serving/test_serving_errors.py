"""An error of the engine carries its faults, and ends a command with the exit code of its kind."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError, DependencyUnavailable
from pipeline.serving import serving_errors


def test_the_first_twenty_faults_are_listed_and_all_are_counted() -> None:
    faults = [serving_errors.FieldError(f"rows[{number}]", "type", "expected a number") for number in range(25)]
    error = serving_errors.InvalidRequest(faults)
    assert (error.errors, error.n_errors) == (tuple(faults[:20]), 25)
    assert str(error) == "; ".join(f"rows[{number}]: expected a number" for number in range(3))


def test_a_fault_of_the_whole_body_has_no_path() -> None:
    assert str(serving_errors.MalformedBody.for_field("", "json", "the body is empty")) == "the body is empty"


@pytest.mark.parametrize(
    "error_class", [serving_errors.InvalidRequest, *serving_errors.InvalidRequest.__subclasses__()]
)
def test_an_invalid_request_is_a_data_error(error_class: type[serving_errors.InvalidRequest]) -> None:
    error = error_class.for_field("rows", "type", "expected a list")
    assert type(error) is error_class
    assert error.exit_code == DataError.exit_code


@pytest.mark.parametrize("error_class", [serving_errors.NotReady, *serving_errors.NotReady.__subclasses__()])
def test_an_engine_that_is_not_ready_is_an_unavailable_dependency(error_class: type[serving_errors.NotReady]) -> None:
    error = error_class("try again", retry_after_s=2)
    assert (error.exit_code, error.retry_after_s) == (DependencyUnavailable.exit_code, 2)

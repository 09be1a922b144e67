"""Requests are assigned by subject: a growing share moves no subject back, and every server assigns alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.serving.canary_traffic import CanaryTraffic
from pipeline.serving.line_up import Challenger, LineUp, assign_rows, position_of
from pipeline.serving.log_options import LOGGED, LogOptions
from pipeline.serving.serving_errors import InvalidRequest
from tests.fixtures.registered_project import make_rows, row_body
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.serving.line_up import AssignedRows
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.rows.row_parser import ParsedRows, RowParser

N_SUBJECTS = 100_000


@pytest.fixture(scope="module")
def positions() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The positions of all subjects in one trial."""
    return np.array([position_of(f"subject-{number}", salt="salt") for number in range(N_SUBJECTS)])


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_the_challenger_gets_its_share_of_the_subjects(
    positions: np.ndarray[tuple[int], np.dtype[np.float64]], share: float
) -> None:
    standard_error = np.sqrt(share * (1 - share) / N_SUBJECTS)
    assert abs((positions < share).mean() - share) <= 3 * standard_error


def test_a_growing_share_takes_no_subject_from_the_challenger(
    positions: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    assert (positions < 0.25)[positions < 0.05].all()


def test_another_trial_assigns_otherwise(positions: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    others = np.array([position_of(f"subject-{number}", salt="other") for number in range(2_000)])
    assert abs(np.corrcoef(others, positions[:2_000])[0, 1]) < 0.1


@pytest.fixture
def challenger(loaded_models: dict[str, LoadedModel]) -> Challenger:
    """A challenger that gets every request."""
    model = replace(loaded_models["boosted"], variant="challenger")
    return Challenger(model, 1, 1, 1.0, "salt", CanaryTraffic(settings().lifecycle.canary))


def assign(line_up: LineUp, options: LogOptions = LOGGED, *, is_pinned: bool = False) -> AssignedRows:
    body = row_body(make_rows(1)[0])
    parse = lambda parser: parser.parse_row(body)  # noqa: E731
    return asyncio.run(assign_rows(line_up, parse, len(body), options, is_pinned=is_pinned))


def test_every_server_assigns_a_subject_alike(challenger: Challenger) -> None:
    servers = [replace(challenger, share=0.5, traffic=CanaryTraffic(settings().lifecycle.canary)) for _ in range(3)]
    subjects = [LogOptions(subject=f"subject-{number}", key=f"key-{number}") for number in range(200)]
    takes = [[server.takes(options) for options in subjects] for server in servers]
    assert takes[0] == takes[1] == takes[2]
    assert takes[0] == [position_of(f"subject-{number}", salt="salt") < 0.5 for number in range(200)]


def test_a_request_without_a_subject_is_assigned_by_its_key(challenger: Challenger) -> None:
    half = replace(challenger, share=0.5)
    keys = [f"key-{number}" for number in range(50)]
    assert [half.takes(LogOptions(key=key)) for key in keys] == [position_of(key, salt="salt") < 0.5 for key in keys]


def test_a_pinned_and_an_unlogged_request_are_predicted_by_the_champion(
    loaded_models: dict[str, LoadedModel], challenger: Challenger
) -> None:
    line_up = LineUp(loaded_models["linear"], challenger)
    assert assign(line_up).model is challenger.model
    assert assign(line_up, is_pinned=True).model is loaded_models["linear"]
    assert assign(line_up, LogOptions(is_logged=False)).model is loaded_models["linear"]


def test_a_stopped_challenger_gets_no_request(loaded_models: dict[str, LoadedModel], challenger: Challenger) -> None:
    challenger.traffic.stop("a person stopped it")
    assert assign(LineUp(loaded_models["linear"], challenger)).model is loaded_models["linear"]
    assert challenger.status()["stop_reason"] == "a person stopped it"


def test_rows_that_only_the_challenger_refuses_are_its_error(
    loaded_models: dict[str, LoadedModel], challenger: Challenger
) -> None:
    line_up = LineUp(loaded_models["linear"], challenger)

    def parse(parser: RowParser) -> ParsedRows:
        if parser is challenger.model.parser:
            raise KeyError
        return parser.parse_row(row_body(make_rows(1)[0]))

    assigned = asyncio.run(assign_rows(line_up, parse, 0, LOGGED))
    assert (assigned.model, assigned.fallback) == (loaded_models["linear"], None)
    assert challenger.traffic.own()["challenger"].n_errors == 1


def test_rows_that_both_refuse_are_an_error_of_the_caller(
    loaded_models: dict[str, LoadedModel], challenger: Challenger
) -> None:
    line_up = LineUp(loaded_models["linear"], challenger)
    with pytest.raises(InvalidRequest, match="is not a feature"):
        asyncio.run(assign_rows(line_up, lambda parser: parser.parse_row(row_body({"other": 1})), 0, LOGGED))
    assert challenger.traffic.own()["challenger"].n_requests == 0

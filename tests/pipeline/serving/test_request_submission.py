"""Requests in progress with one idempotency key share one response, and another body is a conflict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.serving.line_up import AssignedRows
from pipeline.serving.log_options import LogOptions
from pipeline.serving.request_submission import RequestSubmitter
from pipeline.serving.serving_errors import IdempotencyConflict
from pipeline.serving.worker import PredictionWorker
from pipeline.state import STATE_URL_ENV, PredictionWriter, open_state
from tests.fixtures.registered_project import log_settings, make_rows, row_body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.serving.batch_predictor import Response
    from pipeline.serving.loaded_model import LoadedModel

KEYED = LogOptions(key="a", caller="ada")


async def submit_together(root: Path, model: LoadedModel, bodies: Sequence[bytes]) -> list[Response | BaseException]:
    """Submit requests with one key in one turn of the event loop."""
    state = open_state(root)
    worker = PredictionWorker(PredictionWriter(state), log_settings(), state.clock)
    worker.start(asyncio.get_running_loop())
    submitter = RequestSubmitter(worker, model.name, b"key", "api")
    requests = [
        submitter.submit(AssignedRows(model, model.parser.parse_row(body)), "row", body, KEYED) for body in bodies
    ]
    responses = await asyncio.gather(*requests, return_exceptions=True)
    await asyncio.to_thread(worker.stop)
    state.close()
    return responses


@pytest.fixture(autouse=True)
def _own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STATE_URL_ENV, raising=False)


def test_requests_in_progress_with_one_key_share_one_response(tmp_path: Path, loaded_model: LoadedModel) -> None:
    body = row_body(make_rows(1)[0])
    first, second = asyncio.run(submit_together(tmp_path, loaded_model, [body, body]))
    assert isinstance(first, bytes)
    assert first == second


def test_another_body_under_a_key_in_progress_is_a_conflict(tmp_path: Path, loaded_model: LoadedModel) -> None:
    bodies = [row_body(row) for row in make_rows(2)]
    first, second = asyncio.run(submit_together(tmp_path, loaded_model, bodies))
    assert isinstance(first, bytes)
    assert isinstance(second, IdempotencyConflict)

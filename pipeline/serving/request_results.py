"""Results of requests: responses or errors, and how requests get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.serving.batch_predictor import CompletedRequest
from pipeline.serving.serving_errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.serving.batch_predictor import PendingRequest
    from pipeline.serving.shadow_scorer import LoggedValues

__all__ = ["RequestResult", "count_rows", "fall_back", "log_unavailable_error", "logged_values", "resolve_futures"]

RequestResult = CompletedRequest | BaseException


def fall_back(request: PendingRequest, error: Exception) -> tuple[bool, Exception]:
    """Move a failed request to the champion; return whether that is possible, and the error to raise if not."""
    try:
        return request.fall_back(), error
    except Exception as champion_error:  # noqa: BLE001 - raised in the request that waits for it
        return False, champion_error


def log_unavailable_error() -> LogUnavailable:
    """Return the error of a request that must be logged and cannot be."""
    return LogUnavailable("the prediction log is unavailable, so predictions are refused; try again", retry_after_s=2)


def count_rows(requests: Sequence[PendingRequest]) -> int:
    """Return the number of rows of all requests."""
    return sum(len(request.rows.rows) for request in requests)


def resolve_futures(requests: Sequence[PendingRequest], results: Sequence[RequestResult]) -> None:
    """Give each request its result; called on the event loop."""
    for request, result in zip(requests, results, strict=True):
        if request.future.done():
            continue
        if isinstance(result, CompletedRequest):
            request.future.set_result(result.response)
        else:
            request.future.set_exception(result)


def logged_values(
    requests: Sequence[PendingRequest], results: Sequence[RequestResult], *, digest: str
) -> list[LoggedValues]:
    """Return identifier and values of the rows that the log has and that a package predicted in production."""
    rows: list[LoggedValues] = []
    for request, result in zip(requests, results, strict=True):
        model = request.loaded_model
        if not isinstance(result, CompletedRequest) or (model.digest, model.served_by) != (digest, "production"):
            continue
        if result.logged_row is not None:
            rows.append((result.logged_row.prediction_id, request.rows.rows[0]))
        elif result.logged_rows is not None:
            logged = set(result.logged_rows.prediction_id)
            pairs = zip(result.prediction_ids, request.rows.rows, strict=True)
            rows += [pair for pair in pairs if pair[0] in logged]
    return rows

"""Predict through the HTTP API, with the methods of `EngineClient` and the user's own token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, DependencyUnavailable, NotAllowed
from pipeline.production_status import API_URL_ENV
from pipeline.serving import InvalidRequest, NotReady, PredictionBatch
from pipeline.serving.rows.value_warnings import warnings_text
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["ApiClient"]

_RESPONSE_TIMEOUT_S = 30
_MAX_RESPONSE_BYTES = 200_000_000
_MAX_REQUEST_ROWS = 1000
# By whether the prediction is logged.
_LOG_QUERY = {True: "source=app", False: "log=false"}
_REQUEST_ERRORS: dict[int, type[InvalidRequest]] = {400: MalformedBody, 413: BodyTooLarge, 422: InvalidRequest}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, so that the token reaches no other server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class ApiClient:
    """A client of the API at an address; every method blocks for its response.

    Parameters
    ----------
    address : str
        Such as `http://127.0.0.1:5000`.
    token : str or None
        Bearer token; the API checks its roles.
    max_rows : int
        Most rows that the API accepts in one request.

    Raises
    ------
    ConfigError
        When the address is not an http or https URL.
    """

    def __init__(self, address: str, token: str | None, max_rows: int) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{API_URL_ENV}: {address!r} is not a URL; expected one such as http://127.0.0.1:5000")
        self._address = address.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)
        self.max_rows = min(max_rows, _MAX_REQUEST_ROWS)

    def predict(self, features: Mapping[str, Any], *, is_logged: bool) -> dict[str, Any]:
        """Return the prediction for one row.

        Raises
        ------
        InvalidRequest, NotReady, NotAllowed, DependencyUnavailable
            As the API responds.
        """
        return self.predict_body(_row_body(features), is_logged=is_logged)

    def predict_body(self, body: bytes, *, is_logged: bool) -> dict[str, Any]:
        """Return the prediction for a request body `{"features": {...}}`."""
        return self._request(f"/predict?{_LOG_QUERY[is_logged]}", body)

    def predict_columns(self, columns: Mapping[str, Sequence[Any]], *, is_logged: bool) -> PredictionBatch:
        """Return the predictions for at most `max_rows` rows, given by column."""
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        body = json.dumps({"instances": rows}).encode()
        response = self._request(f"/predict/batch?{_LOG_QUERY[is_logged]}", body)
        predictions = response["predictions"]
        return PredictionBatch(
            [prediction["prediction"] for prediction in predictions],
            [prediction["confidence"] for prediction in predictions],
            [list(prediction["probabilities"].values()) for prediction in predictions],
            [prediction["prediction_id"] for prediction in predictions],
            [warnings_text(prediction["warnings"]) for prediction in predictions],
            list(range(len(predictions))),
            (),
            response["model_version"],
            response["variant"],
            lambda: b"",
        )

    def record_outcome(self, prediction_id: str, outcome: str, *, user: str) -> None:  # noqa: ARG002 - from the token
        """Store the outcome of an earlier prediction; the API takes the user from the token."""
        body = {"prediction_id": prediction_id, "outcome": outcome, "source": "app"}
        self._request("/feedback", json.dumps(body).encode())

    def status(self) -> dict[str, Any]:
        """Return whether the API is ready, and the reason if not."""
        status, body = self._send("/health", None)
        if "ready" not in body:
            raise self._unexpected_response(status)
        return {"is_ready": body["ready"], "reason": body.get("reason", "")}

    def _request(self, path: str, body: bytes) -> dict[str, Any]:
        status, response = self._send(path, body)
        if status != 200:
            raise self._error_from_problem(status, response)
        return response

    def _send(self, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self._address}{path}", body, headers)  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=_RESPONSE_TIMEOUT_S) as response:
                return response.status, self._parse_response(response.status, response.read(_MAX_RESPONSE_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._parse_response(error.code, error.read(_MAX_RESPONSE_BYTES))
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise DependencyUnavailable(
                f"the API at {self._address} is unreachable ({reason}); start it with `mlops serve`, or unset"
                f" {API_URL_ENV} and restart the app, which then predicts with its own engine"
            ) from error

    def _parse_response(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(body)
        except ValueError as error:
            raise self._unexpected_response(status) from error
        if not isinstance(parsed, dict):
            raise self._unexpected_response(status)
        return parsed

    def _unexpected_response(self, status: int) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"{self._address} responded {status} with a body that the API never sends; check {API_URL_ENV}"
        )

    def _error_from_problem(self, status: int, problem: Mapping[str, Any]) -> Exception:
        """Return the error for a problem document."""
        message = f"{problem.get('title', 'refused')}: {problem.get('detail', '')}"
        if status in (401, 403):
            return NotAllowed(f"the API at {self._address} refused the request: {message}")
        if status in (429, 503):
            return NotReady(message)
        if status in _REQUEST_ERRORS:
            errors = [
                FieldError(error["path"], error["rule"], error["message"]) for error in problem.get("problems", ())
            ]
            return _REQUEST_ERRORS[status](errors or [FieldError("", str(problem.get("type", "")), message)])
        return DependencyUnavailable(f"the API at {self._address} responded {status}: {message}")


def _row_body(features: Mapping[str, Any]) -> bytes:
    return json.dumps({"features": dict(features)}).encode()

"""Ask the HTTP API instead of an engine of this process: the same questions, with the reader's own token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, DependencyUnavailable, NotAllowed
from pipeline.serving import InvalidRequest, NotReady, PredictionBatch
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["API_URL_ENV", "ApiClient"]

API_URL_ENV = "MLOPS_API_URL"
_RESPONSE_TIMEOUT_S = 30
_MAX_RESPONSE_BYTES = 200_000_000
_MAX_REQUEST_ROWS = 1000
_REQUEST_ERRORS: dict[int, type[InvalidRequest]] = {400: MalformedBody, 413: BodyTooLarge, 422: InvalidRequest}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class ApiClient:
    """The API at an address; every method blocks until its answer is there.

    Parameters
    ----------
    address : str
        Such as `http://127.0.0.1:5000`.
    token : str or None
        Sent as a bearer token; its roles decide.
    max_rows : int
        Most rows in one request that the API takes.

    Raises
    ------
    ConfigError
        When the address is none of http or https.
    """

    def __init__(self, address: str, token: str | None, max_rows: int) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{API_URL_ENV}: {address!r} is no address; accepted is one such as http://127.0.0.1:5000"
            )
        self._address = address.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)
        self.max_rows = min(max_rows, _MAX_REQUEST_ROWS)

    def predict(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one row; BodyRefused, NotAllowed, NotReady or DependencyUnavailable otherwise."""
        return self.predict_body(_row_body(features))

    def predict_body(self, body: bytes) -> dict[str, Any]:
        """Return the answer to a body `{"features": {...}}` that somebody wrote."""
        return self._request("/predict", body)

    def predict_columns(self, columns: Mapping[str, Sequence[Any]]) -> PredictionBatch:
        """Return the answers to many rows, at most `max_rows`, given by column."""
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        found = self._request("/predict/batch", json.dumps({"instances": rows}).encode())["predictions"]
        return PredictionBatch(
            [one["prediction"] for one in found],
            [one["confidence"] for one in found],
            [list(one["probabilities"].values()) for one in found],
            [one["prediction_id"] for one in found],
            list(range(len(found))),
            (),
            lambda: b"",
        )

    def explain(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each feature contributed to the answer."""
        return self._request("/v1/explain", _row_body(features))

    def what_if(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the model says when one feature alone is another."""
        return self._request("/v1/what-if", _row_body(features))

    def record_outcome(self, prediction_id: str, outcome: str) -> None:
        """Keep what became true of an earlier prediction."""
        body = {"prediction_id": prediction_id, "outcome": outcome, "source": "app"}
        self._request("/feedback", json.dumps(body).encode())

    def status(self) -> dict[str, Any]:
        """Return whether it answers predictions, and if not, why."""
        status, found = self._send("/health", None)
        if "ready" not in found:
            raise self._unexpected_response(status)
        return {"is_ready": found["ready"], "reason": found.get("reason", "")}

    def _request(self, path: str, body: bytes) -> dict[str, Any]:
        status, found = self._send(path, body)
        if status != 200:
            raise self._error_from_problem(status, found)
        return found

    def _send(self, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        fields = {"Content-Type": "application/json"} if body is not None else {}
        if self._token is not None:
            fields["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self._address}{path}", body, fields)  # noqa: S310 - http or https, see above
        try:
            with self._opener.open(request, timeout=_RESPONSE_TIMEOUT_S) as answer:
                return answer.status, self._parse_response(answer.status, answer.read(_MAX_RESPONSE_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._parse_response(error.code, error.read(_MAX_RESPONSE_BYTES))
        except OSError as error:
            why = getattr(error, "reason", error)
            raise DependencyUnavailable(
                f"the API at {self._address} cannot be reached ({why}); start it with `mlops serve`, or unset {API_URL_ENV}"
                " and start the app again: it then predicts by an engine of its own"
            ) from error

    def _parse_response(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body)
        except ValueError as error:
            raise self._unexpected_response(status) from error
        if not isinstance(found, dict):
            raise self._unexpected_response(status)
        return found

    def _unexpected_response(self, status: int) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"{self._address} answered {status} with something that our API does not say; look at {API_URL_ENV}"
        )

    def _error_from_problem(self, status: int, found: Mapping[str, Any]) -> Exception:
        """Return the error that a problem document stands for."""
        said = f"{found.get('title', 'refused')}: {found.get('detail', '')}"
        if status in (401, 403):
            return NotAllowed(f"the API at {self._address} says: {said}")
        if status in (429, 503):
            return NotReady(said)
        if status in _REQUEST_ERRORS:
            problems = [FieldError(one["path"], one["rule"], one["message"]) for one in found.get("problems", ())]
            return _REQUEST_ERRORS[status](problems or [FieldError("", str(found.get("type", "")), said)])
        return DependencyUnavailable(f"the API at {self._address} answered {status}: {said}")


def _row_body(features: Mapping[str, Any]) -> bytes:
    return json.dumps({"features": dict(features)}).encode()

"""Turn requests that arrived together into responses and rows of the log, one loaded model after the other."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from operator import add
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from pipeline.serving.prediction_types import PredictionBatch
from pipeline.serving.rows.value_warnings import warnings_text
from pipeline.state import PredictionRow, RequestRows, RequestValues, utc_now_us

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.config.groups.monitoring_config import PredictionSource
    from pipeline.serving.line_up import Fallback
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.prediction_types import Variant
    from pipeline.serving.rows.row_parser import ParsedRows
    from pipeline.serving.scorer import ScoredRow

__all__ = [
    "BatchPredictor",
    "CompletedRequest",
    "PendingRequest",
    "RequestKind",
    "Response",
    "batch_from_json",
    "row_response",
]

RequestKind = Literal["row", "batch", "columns"]
Response = bytes | PredictionBatch


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request in progress: its rows, the model that predicts for it, and the future that takes its response.

    `idempotency_key` is the keyed digest of the caller's key. `body_digest` is that of the body, which distinguishes a
    retry from another request with the same key. Rows of a request with `is_logged` False are neither logged nor
    counted. `fallback` is set while the challenger predicts.
    """

    loaded_model: LoadedModel
    rows: ParsedRows
    kind: RequestKind
    future: asyncio.Future[Response]
    started_ns: int
    source: PredictionSource = "api"
    idempotency_key: str | None = None
    body_digest: str = ""
    subject: str | None = None
    is_logged: bool = True
    fallback: Fallback | None = None

    def fall_back(self) -> bool:
        """Let the champion predict in place of the challenger; return False where the champion predicts already."""
        fallback, self.fallback = self.fallback, None
        if fallback is None:
            return False
        self.loaded_model, self.rows = fallback.champion, fallback.parse_rows()
        return True


@dataclass(slots=True)
class CompletedRequest:
    """The response to a request, the label and confidence of each row, and the rows for the log.

    `logged_row` is set for a request of one row, `logged_rows` for a batch, with `prediction_ids` of all its rows.
    `is_counted` is False for a request that asked not to be logged.
    """

    response: Response
    labels: Sequence[str] = ()
    confidences: Sequence[float] = ()
    logged_row: PredictionRow | None = None
    logged_rows: RequestRows | None = None
    prediction_ids: Sequence[str] = ()
    is_counted: bool = True
    variant: Variant = "champion"

    @property
    def body(self) -> bytes:
        """The response as JSON."""
        return self.response if isinstance(self.response, bytes) else self.response.body


class BatchPredictor:
    """Predicts for groups of requests.

    Parameters
    ----------
    sample_rate : float between 0 and 1
        Share of the rows that the log keeps, each with weight 1 / `sample_rate`; 0 where there is no log.
    now : callable
        Returns the moment of a prediction in microseconds since 1970, UTC.
    """

    def __init__(self, *, sample_rate: float, now: Callable[[], int] = utc_now_us) -> None:
        self._sample_rate = sample_rate
        self._now = now
        self._ids = _PredictionIds()
        self._random = Random()  # noqa: S311 - the choice of sampled rows is no secret

    def predict(self, requests: Sequence[PendingRequest]) -> list[CompletedRequest]:
        """Return the responses in the order of `requests`; requests of one model are scored together."""
        groups: dict[int, list[PendingRequest]] = {}
        for request in requests:
            groups.setdefault(id(request.loaded_model), []).append(request)
        if len(groups) == 1:
            return list(self._predict_group(list(requests)))
        completed_by_id: dict[int, CompletedRequest] = {}
        for group in groups.values():
            for request, completed in zip(group, self._predict_group(group), strict=True):
                completed_by_id[id(request)] = completed
        return [completed_by_id[id(request)] for request in requests]

    def predict_cached(self, loaded_model: LoadedModel, row: tuple[Any, ...]) -> CompletedRequest | None:
        """Return the response to a row whose score is cached, None for any other row."""
        scored = loaded_model.scorer.cached(row)
        if scored is None:
            return None
        body = row_response(loaded_model, scored, self._ids.next_id())
        return CompletedRequest(body, (scored.label,), (scored.confidence,))

    def _predict_group(self, requests: list[PendingRequest]) -> Iterator[CompletedRequest]:
        scorer = requests[0].loaded_model.scorer
        scored_rows = scorer.score(list(chain.from_iterable([request.rows.rows for request in requests])))
        start = 0
        for request in requests:
            end = start + len(request.rows.rows)
            if request.kind == "row":
                yield self._complete_row_request(request, scored_rows[start])
            else:
                yield self._complete_batch_request(request, scored_rows[start:end])
            start = end

    def _complete_row_request(self, request: PendingRequest, scored: ScoredRow) -> CompletedRequest:
        prediction_id = self._ids.next_id()
        row = None
        if request.is_logged and (self._sample_rate == 1.0 or self._is_sampled()):
            row = PredictionRow(
                prediction_id=prediction_id,
                features=scored.logged_features,
                prediction=scored.label,
                probabilities=scored.probabilities_json,
                confidence=scored.confidence,
                **self._request_values(request),
            )
        ids = request.rows.ids[0] if request.rows.ids else ""
        body = row_response(request.loaded_model, scored, prediction_id, ids=ids)
        return CompletedRequest(
            body,
            (scored.label,),
            (scored.confidence,),
            row,
            is_counted=request.is_logged,
            variant=request.loaded_model.variant,
        )

    def _is_sampled(self) -> bool:
        return self._random.random() < self._sample_rate

    def _complete_batch_request(self, request: PendingRequest, scored_rows: list[ScoredRow]) -> CompletedRequest:
        scored = _ScoredColumns._make(zip(*scored_rows, strict=True))
        ids = self._ids.next_ids(len(scored_rows))
        rows = self._logged_rows(request, scored, ids) if request.is_logged and self._sample_rate > 0.0 else None
        response = _batch_response(request, scored, ids)
        return CompletedRequest(
            response,
            scored.label,
            scored.confidence,
            logged_rows=rows,
            prediction_ids=ids,
            is_counted=request.is_logged,
            variant=request.loaded_model.variant,
        )

    def _logged_rows(self, request: PendingRequest, scored: _ScoredColumns, ids: list[str]) -> RequestRows:
        columns: tuple[Sequence[Any], ...] = (
            ids,
            scored.logged_features,
            scored.label,
            scored.probabilities_json,
            scored.confidence,
        )
        shared = RequestValues(**self._request_values(request))
        if self._sample_rate < 1.0:
            is_sampled = [self._is_sampled() for _ in ids]
            columns = tuple(list(compress(column, is_sampled)) for column in columns)
            if not is_sampled[0]:  # the latency is a property of the first row, sampled or not
                shared = shared._replace(latency_us=0)
        return RequestRows(shared, *columns)

    def _request_values(self, request: PendingRequest) -> dict[str, Any]:
        """Return the values that all rows of a request share, by the names of `RequestValues`."""
        model = request.loaded_model
        return {
            "predicted_at": self._now(),
            "model": model.name,
            "version": model.version,
            "digest": model.digest,
            "generation": model.generation,
            "served_by": model.served_by,
            "variant": model.variant,
            "source": request.source,
            "latency_us": (time.perf_counter_ns() - request.started_ns) // 1000,
            "weight": 1.0 / self._sample_rate,
            "idempotency_key": request.idempotency_key,
            "subject": request.subject,
        }


class _ScoredColumns(NamedTuple):
    """The members of `ScoredRow`, each over all rows of a request."""

    json_prefix: tuple[str, ...]
    json_suffix: tuple[str, ...]
    logged_features: tuple[str, ...]
    label: tuple[str, ...]
    probabilities_json: tuple[str, ...]
    confidence: tuple[float, ...]
    probabilities: tuple[list[float], ...]


def row_response(loaded_model: LoadedModel, scored: ScoredRow, prediction_id: str, *, ids: str = "") -> bytes:
    """Return the response to one row as JSON; `ids` is its member of echoed identifiers."""
    return f"{scored.json_prefix}{prediction_id}{scored.json_suffix}{ids},{loaded_model.response_suffix}}}".encode()


def _batch_response(request: PendingRequest, scored: _ScoredColumns, ids: list[str]) -> Response:
    encode_body = partial(_batch_json, request.rows, request.loaded_model.response_suffix, scored, ids)
    if request.kind == "batch":
        return encode_body()
    return PredictionBatch(
        predictions=list(scored.label),
        confidences=list(scored.confidence),
        probabilities=list(scored.probabilities),
        prediction_ids=ids,
        warnings=[warnings_text(_warnings_of(suffix)) for suffix in scored.json_suffix],
        row_positions=request.rows.positions,
        errors=request.rows.errors,
        model_version=request.loaded_model.version,
        variant=request.loaded_model.variant,
        encode_body=encode_body,
    )


def _warnings_of(json_suffix: str) -> list[dict[str, str]]:
    warnings: list[dict[str, str]] = (
        [] if json_suffix.endswith("[]") else json.loads(f"{{{json_suffix[2:]}}}")["warnings"]
    )
    return warnings


def _batch_json(rows: ParsedRows, response_suffix: str, scored: _ScoredColumns, ids: list[str]) -> bytes:
    parts = ["},"] * (4 * len(ids))
    suffixes = map(add, scored.json_suffix, rows.ids) if rows.ids else scored.json_suffix
    parts[0::4], parts[1::4], parts[2::4] = scored.json_prefix, ids, list(suffixes)
    n_refused = 0
    if rows.errors:
        error_items = _error_items(rows)
        n_refused = len(error_items)
        prediction_items = ("".join(parts[at : at + 4]) for at in range(0, len(parts), 4))
        items = {**error_items, **dict(zip(rows.positions, prediction_items, strict=True))}
        parts = [items[position] for position in sorted(items)]
    parts[-1] = parts[-1][:-1]
    parts.insert(0, '{"predictions":[')
    parts.append(f'],"n_refused":{n_refused},{response_suffix}}}')
    return "".join(parts).encode()


def _error_items(rows: ParsedRows) -> dict[int, str]:
    """Return an item with the problems of each invalid row, by its position, each with a comma behind it."""
    problems_by_row: dict[int, list[dict[str, str]]] = {}
    for position, error in zip(rows.error_positions, rows.errors, strict=True):
        problem = {"path": error.path, "rule": error.rule, "message": error.message}
        problems_by_row.setdefault(position, []).append(problem)
    return {position: f"{json.dumps({'problems': problems})}," for position, problems in problems_by_row.items()}


def batch_from_json(body: bytes, rows: ParsedRows) -> PredictionBatch:
    """Return a stored response as columns."""
    response = json.loads(body)
    predictions = [item for item in response["predictions"] if "prediction" in item]
    return PredictionBatch(
        predictions=[prediction["prediction"] for prediction in predictions],
        confidences=[prediction["confidence"] for prediction in predictions],
        probabilities=[list(prediction["probabilities"].values()) for prediction in predictions],
        prediction_ids=[prediction["prediction_id"] for prediction in predictions],
        warnings=[warnings_text(prediction["warnings"]) for prediction in predictions],
        row_positions=rows.positions,
        errors=rows.errors,
        model_version=response["model_version"],
        variant=response["variant"],
        encode_body=lambda: body,
    )


class _PredictionIds:
    """Identifiers in the form of UUID version 7: the start time and random bits, then a running number.

    They grow, so that new entries of their index are written at its end.
    """

    def __init__(self) -> None:
        started = f"{time.time_ns() // 1_000_000:012x}"
        random_bits = os.urandom(4).hex()
        self._prefix = f"{started[:8]}-{started[8:]}-7{random_bits[:3]}-8{random_bits[3:6]}-"
        self._last = int.from_bytes(os.urandom(4)) << 8

    def next_id(self) -> str:
        self._last += 1
        return f"{self._prefix}{self._last:012x}"

    def next_ids(self, n: int) -> list[str]:
        first = self._last + 1
        self._last += n  # before any call: without a log another thread may take identifiers in between
        numbers = np.arange(first, first + n, dtype=">u8").view(np.uint8).reshape(n, 8)[:, 2:]
        return f"{self._prefix}{numbers.tobytes().hex(',', 6).replace(',', f',{self._prefix}')}".split(",")

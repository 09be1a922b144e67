"""Turn requests that arrived together into answers and rows of the log, bundle by bundle."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.serving.prediction_types import PredictionBatch
from pipeline.state import PredictionRow, RequestRows, RequestValues

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.rows.json_rows import ParsedRows
    from pipeline.serving.scorer import ScoredRow

__all__ = ["BatchPredictor", "CompletedRequest", "PendingRequest"]


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request on its way: its rows, the bundle that it was given, and who waits for it.

    `digest` is the SHA-256 of the body, which tells a retry from another request with the same key.
    """

    loaded_model: LoadedModel
    rows: ParsedRows
    kind: str
    future: asyncio.Future[Any]
    started_ns: int
    idempotency_key: str | None = None
    body_digest: str = ""
    subject: str | None = None


@dataclass(slots=True)
class CompletedRequest:
    """The answer to a request, what it says of each row, and the rows that the log keeps of it.

    `row` is that of a request of one row, `group` has those of a larger one.
    """

    response: bytes | PredictionBatch
    labels: Sequence[str] = ()
    confidences: Sequence[float] = ()
    logged_row: PredictionRow | None = None
    logged_rows: RequestRows | None = None

    @property
    def body(self) -> bytes:
        """The answer as JSON."""
        return self.response if isinstance(self.response, bytes) else self.response.body


class BatchPredictor:
    """Answers groups of requests.

    Parameters
    ----------
    sample : float
        Share of the rows that the log keeps, each standing for 1 / `sample` rows; 0 where there is no log.
    """

    def __init__(self, *, sample: float) -> None:
        self._sample = sample
        self._ids = _PredictionIds()
        self._random = Random()  # noqa: S311 - which rows are kept is no secret

    def predict(self, requests: Sequence[PendingRequest]) -> list[CompletedRequest]:
        """Return the answers in the order of `works`; requests of one bundle are scored together."""
        groups: dict[int, list[PendingRequest]] = {}
        for work in requests:
            groups.setdefault(id(work.loaded_model), []).append(work)
        if len(groups) == 1:
            return list(self._predict_group(list(requests)))
        found: dict[int, CompletedRequest] = {}
        for group in groups.values():
            for work, answered in zip(group, self._predict_group(group), strict=True):
                found[id(work)] = answered
        return [found[id(work)] for work in requests]

    def predict_cached(self, loaded_model: LoadedModel, row: tuple[Any, ...]) -> CompletedRequest | None:
        """Return the answer to a row that came before and is kept, for which the model need not be asked."""
        scored = loaded_model.scorer.cached(row)
        return (
            None
            if scored is None
            else CompletedRequest(
                self._row_response(loaded_model, scored, self._ids.next_id()), *_labels_and_confidences(scored)
            )
        )

    def _predict_group(self, requests: list[PendingRequest]) -> Iterator[CompletedRequest]:
        bundle = requests[0].loaded_model
        scored = bundle.scorer.score(list(chain.from_iterable([work.rows.rows for work in requests])))
        at = 0
        for work in requests:
            end = at + len(work.rows.rows)
            yield (
                self._complete_row_request(work, scored[at])
                if work.kind == "one"
                else self._complete_batch_request(work, scored[at:end])
            )
            at = end

    def _complete_row_request(self, request: PendingRequest, scored: ScoredRow) -> CompletedRequest:
        identifier = self._ids.next_id()
        row = None
        if self._sample == 1.0 or (self._sample > 0.0 and self._random.random() < self._sample):
            row = PredictionRow(
                prediction_id=identifier,
                features=scored.logged_features,
                prediction=scored.label,
                probabilities=scored.probabilities_json,
                confidence=scored.confidence,
                **self._request_values(request),
            )
        return CompletedRequest(
            self._row_response(request.loaded_model, scored, identifier), *_labels_and_confidences(scored), row
        )

    def _complete_batch_request(self, request: PendingRequest, scored: list[ScoredRow]) -> CompletedRequest:
        answers = _ScoredColumns._make(zip(*scored, strict=True))
        ids = self._ids.next_ids(len(scored))
        group = self._logged_rows(request, answers, ids) if self._sample > 0.0 else None
        return CompletedRequest(
            _batch_response(request, answers, ids), answers.label, answers.confidence, logged_rows=group
        )

    @staticmethod
    def _row_response(loaded_model: LoadedModel, scored: ScoredRow, identifier: str) -> bytes:
        return f"{scored.json_prefix}{identifier}{scored.json_suffix},{loaded_model.response_suffix}}}".encode()

    def _logged_rows(self, request: PendingRequest, scored: _ScoredColumns, ids: list[str]) -> RequestRows:
        columns: tuple[Sequence[Any], ...] = (
            ids,
            scored.logged_features,
            scored.label,
            scored.probabilities_json,
            scored.confidence,
        )
        if self._sample < 1.0:
            is_kept = [self._random.random() < self._sample for _ in ids]
            columns = tuple(list(compress(column, is_kept)) for column in columns)
        return RequestRows(RequestValues(**self._request_values(request)), *columns)

    def _request_values(self, request: PendingRequest) -> dict[str, Any]:
        """Return what all rows of a request have in common, by the names of `SharedValues`."""
        bundle = request.loaded_model
        return {
            "at": time.time_ns() // 1000,
            "model": bundle.name,
            "version": bundle.version,
            "digest": bundle.digest,
            "generation": bundle.generation,
            "served_by": bundle.served_by,
            "variant": "champion",
            "latency_us": (time.perf_counter_ns() - request.started_ns) // 1000,
            "weight": 1.0 / self._sample,
            "idempotency_key": request.idempotency_key,
            "subject": request.subject,
        }


def _labels_and_confidences(scored: ScoredRow) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return (scored.label,), (scored.confidence,)


class _ScoredColumns(NamedTuple):
    """The members of `RowAnswer`, each over all rows of a request."""

    json_prefix: tuple[str, ...]
    json_suffix: tuple[str, ...]
    logged_features: tuple[str, ...]
    label: tuple[str, ...]
    probabilities_json: tuple[str, ...]
    confidence: tuple[float, ...]
    probabilities: tuple[list[float], ...]


def _batch_response(request: PendingRequest, scored: _ScoredColumns, ids: list[str]) -> bytes | PredictionBatch:
    body = partial(_batch_json, request.rows, request.loaded_model.response_suffix, scored, ids)
    if request.kind == "batch":
        return body()
    return PredictionBatch(
        list(scored.label),
        list(scored.confidence),
        list(scored.probabilities),
        ids,
        request.rows.positions,
        request.rows.errors,
        body,
    )


def _batch_json(rows: ParsedRows, response_suffix: str, scored: _ScoredColumns, ids: list[str]) -> bytes:
    parts = ["},"] * (4 * len(ids))
    parts[0::4], parts[1::4], parts[2::4] = scored.json_prefix, ids, scored.json_suffix
    n_refused = 0
    if rows.errors:
        refused = _error_items(rows)
        n_refused = len(refused)
        answered = ("".join(parts[at : at + 4]) for at in range(0, len(parts), 4))
        placed = {**refused, **dict(zip(rows.positions, answered, strict=True))}
        parts = [placed[at] for at in sorted(placed)]
    parts[-1] = parts[-1][:-1]
    parts.insert(0, '{"predictions":[')
    parts.append(f'],"n_refused":{n_refused},{response_suffix}}}')
    return "".join(parts).encode()


def _error_items(rows: ParsedRows) -> dict[int, str]:
    """Return for each bad row, by its position, an item that says what is wrong with it, and a comma."""
    by_row: dict[int, list[dict[str, str]]] = {}
    for position, problem in zip(rows.error_positions, rows.errors, strict=True):
        plain = {"path": problem.path, "rule": problem.rule, "message": problem.message}
        by_row.setdefault(position, []).append(plain)
    return {at: f"{json.dumps({'problems': problems})}," for at, problems in by_row.items()}


class _PredictionIds:
    """Identifiers in the form of UUID version 7: the moment of the start and chance, then a running number.

    They grow, so that an index of them is written at its end.
    """

    def __init__(self) -> None:
        moment = f"{time.time_ns() // 1_000_000:012x}"
        chance = os.urandom(4).hex()
        self._prefix = f"{moment[:8]}-{moment[8:]}-7{chance[:3]}-8{chance[3:6]}-"
        self._last = int.from_bytes(os.urandom(4)) << 8

    def next_id(self) -> str:
        self._last += 1
        return f"{self._prefix}{self._last:012x}"

    def next_ids(self, n: int) -> list[str]:
        first = self._last + 1
        self._last += n  # before anything is called: without a log another thread may ask meanwhile
        numbers = np.arange(first, first + n, dtype=">u8").view(np.uint8).reshape(n, 8)[:, 2:]
        return f"{self._prefix}{numbers.tobytes().hex(',', 6).replace(',', f',{self._prefix}')}".split(",")

"""Score a challenger beside the champion after the responses are sent; no caller waits for it or sees its errors."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from pipeline.errors import IntegrityError
from pipeline.state.shadow_predictions import ShadowPrediction, add_shadow_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State

__all__ = ["LoggedValues", "ShadowScorer"]

# Identifier of a logged prediction, and the values of its features in the order of the champion.
LoggedValues = tuple[str, tuple[Any, ...]]

_MAX_CHUNK_ROWS, _CHUNK_S = 256, 0.01
_ROWS_PER_WRITE = 500
# Work begins after such a pause between requests: it competes with responses for the interpreter and the disk.
_PAUSE_BEFORE_SCORING_S, _PAUSE_BEFORE_WRITING_S = 0.005, 0.05


class ShadowScorer:
    """Scores rows that the champion predicted and the log has, in small chunks between two batches.

    The thread of the prediction worker calls `enqueue` and `work`; `status` may be called from any thread.

    Parameters
    ----------
    champion, model : LoadedModel
        The version whose rows count, and the challenger.
    trial : int
    state : State
    max_waiting_rows : int
        More rows are dropped and counted.

    Attributes
    ----------
    champion_digest : str
        Digest of the package whose rows count.
    n_scored, n_dropped, n_failed : int
        Rows that were scored and stored, that were not scored, and that failed.
    last_error : str or None

    Raises
    ------
    IntegrityError
        When the challenger needs a feature that requests to the champion do not have.
    """

    def __init__(
        self, champion: LoadedModel, model: LoadedModel, *, trial: int, state: State, max_waiting_rows: int
    ) -> None:
        self.trial, self.model = trial, model
        self.n_scored = self.n_dropped = self.n_failed = 0
        self.last_error: str | None = None
        self.champion_digest, self._state, self._max_waiting_rows = champion.digest, state, max_waiting_rows
        self._positions = _feature_positions(champion, model)
        self._waiting: deque[LoggedValues] = deque()
        self._unwritten: list[ShadowPrediction] = []
        self._chunk_rows = 32

    @property
    def has_work(self) -> bool:
        """Whether rows wait to be scored or written."""
        return bool(self._waiting or self._unwritten)

    @property
    def patience_s(self) -> float:
        """How long no request comes before the next work begins; 0 where rows would be dropped soon."""
        if len(self._waiting) > self._max_waiting_rows // 2 or len(self._unwritten) >= _ROWS_PER_WRITE:
            return 0.0
        return _PAUSE_BEFORE_SCORING_S if self._waiting else _PAUSE_BEFORE_WRITING_S

    def status(self) -> dict[str, Any]:
        """Return what was scored so far, as plain values."""
        return {
            "id": self.trial,
            "version": self.model.version,
            "digest": self.model.digest,
            "n_scored": self.n_scored,
            "n_dropped": self.n_dropped,
            "n_failed": self.n_failed,
            "n_waiting": len(self._waiting),
            "error": self.last_error,
        }

    def enqueue(self, rows: Sequence[LoggedValues]) -> None:
        """Queue logged rows of the champion; rows beyond `max_waiting_rows` are dropped and counted."""
        n_free = max(0, self._max_waiting_rows - len(self._waiting))
        self._waiting.extend(rows[:n_free])
        self.n_dropped += max(0, len(rows) - n_free)

    def work(self) -> None:
        """Score some rows, or write scored rows when none waits or many are scored; errors are counted."""
        is_scoring = bool(self._waiting) and len(self._unwritten) < _ROWS_PER_WRITE
        n_rows = min(self._chunk_rows, len(self._waiting)) if is_scoring else 0
        chunk = [self._waiting.popleft() for _ in range(n_rows)]
        try:
            if chunk:
                self._score(chunk)
            elif self._unwritten:
                at = self._state.clock()
                rows, self._unwritten = [row._replace(predicted_at=at) for row in self._unwritten], []
                chunk = [(row.prediction_id, ()) for row in rows]
                with self._state.writing() as connection:
                    add_shadow_predictions(connection, rows)
                self.n_scored += len(rows)
        except Exception as error:  # noqa: BLE001 - no fault of a challenger reaches a caller
            self.n_failed += len(chunk)
            self.last_error = str(error)

    def _score(self, chunk: Sequence[LoggedValues]) -> None:
        began = time.perf_counter()
        rows = [tuple(row[at] for at in self._positions) for _, row in chunk]
        scored_rows = self.model.scorer.score(rows)
        is_slow = time.perf_counter() - began > _CHUNK_S
        self._chunk_rows = max(1, self._chunk_rows // 2) if is_slow else min(_MAX_CHUNK_ROWS, 2 * self._chunk_rows)
        digest = self.model.digest
        self._unwritten += [
            ShadowPrediction(prediction_id, digest, self.trial, scored.label, scored.probabilities_json, 0)
            for (prediction_id, _), scored in zip(chunk, scored_rows, strict=True)
        ]


def _feature_positions(champion: LoadedModel, model: LoadedModel) -> tuple[int, ...]:
    names = champion.schema.feature_names
    kinds = {column.name: column.kind for column in champion.schema.features}
    absent = [column.name for column in model.schema.features if kinds.get(column.name) != column.kind]
    if absent:
        raise IntegrityError(
            f"{', '.join(absent)}: version {champion.version} has no such features of the same type, so requests to it"
            f" lack them; expected the features of version {champion.version}: try the challenger in a canary"
        )
    return tuple(names.index(column.name) for column in model.schema.features)

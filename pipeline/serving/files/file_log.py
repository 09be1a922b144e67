"""Log the predictions of a file as those of requests are logged, each row of a file once however often it is scored."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.files import sha256
from pipeline.state import PredictionRow, PredictionWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.serving.scorer import RowScorer
    from pipeline.state import State

__all__ = ["FilePredictionLog", "derive_prediction_ids"]

_BATCH_ROWS = 10_000


def derive_prediction_ids(source_digest: str, package_digest: str, first_row: int, n_rows: int) -> list[str]:
    """Return the identifiers of `n` rows from row `first` (from 1): the same file and package give the same ones."""
    chance = sha256(f"{source_digest} {package_digest}".encode())
    prefix = f"{chance[:8]}-{chance[8:12]}-8{chance[12:15]}-8{chance[15:18]}-"
    return [f"{prefix}{number:012x}" for number in range(first_row, first_row + n_rows)]


@dataclass
class FilePredictionLog:
    """Where the predictions of a file are kept.

    Parameters
    ----------
    state : State
    model : str
    version, generation : int
        What the rows of the log name beside the digest.
    scorer : RowScorer
    """

    state: State
    model: str
    version: int
    generation: int
    scorer: RowScorer

    def append(self, rows: pa.Table, ids: list[str]) -> None:
        """Write the predictions of rows, in transactions of 10,000; what an earlier run wrote stays as it is.

        Raises
        ------
        DependencyUnavailable
            When the database cannot be written.
        """
        journal = PredictionWriter(self.state)
        try:
            for at in range(0, rows.num_rows, _BATCH_ROWS):
                part = ids[at : at + _BATCH_ROWS]
                with self.state.reading() as connection:
                    is_known = bool(store.existing_prediction_ids(connection, part[:1]))
                if not is_known:
                    journal.write(self._prediction_rows(rows.slice(at, _BATCH_ROWS), part), has_client_ids=True)
        finally:
            journal.close()

    def _prediction_rows(self, rows: pa.Table, ids: list[str]) -> list[PredictionRow]:
        started_ns = time.perf_counter_ns()
        columns = [_to_request_values(rows.column(name)) for name in self.scorer.package.schema.feature_names]
        answers = self.scorer.score(list(zip(*columns, strict=True)))
        latency_us = (time.perf_counter_ns() - started_ns) // 1000
        fixed = (self.state.clock(), self.model, self.version, self.scorer.package.digest, self.generation)
        tail = ("production", "file", latency_us, 1.0, None, None)
        return [
            PredictionRow._make(
                (name, *fixed, one.logged_features, one.label, one.probabilities_json, one.confidence, *tail)
            )
            for name, one in zip(ids, answers, strict=True)
        ]


def _to_request_values(values: Any) -> list[Any]:
    """Return the values of a column as a request would send them: moments as text."""
    return [value.isoformat() if hasattr(value, "isoformat") else value for value in values.to_pylist()]

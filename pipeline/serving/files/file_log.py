"""Log the predictions of a file as those of requests; a file that is scored again adds no rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.files import sha256
from pipeline.state import PredictionIdTaken, PredictionRow, PredictionWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.serving.scorer import RowScorer
    from pipeline.state import State

__all__ = ["FilePredictionLog", "derive_prediction_ids"]

_BATCH_ROWS = 10_000


def derive_prediction_ids(
    source_digest: str, package_digest: str, *, model: str, first_row: int, n_rows: int
) -> list[str]:
    """Return the identifiers of rows from `first_row` (from 1); the same file, package and model give the same ones."""
    digest = sha256(f"{source_digest} {package_digest} {model}".encode())
    prefix = f"{digest[:8]}-{digest[8:12]}-8{digest[12:15]}-8{digest[15:18]}-"
    return [f"{prefix}{number:012x}" for number in range(first_row, first_row + n_rows)]


@dataclass
class FilePredictionLog:
    """Writes the predictions of a file to the prediction log.

    Parameters
    ----------
    state : State
    model : str
    version, generation : int
        Logged with each row, beside the digest of the package.
    scorer : RowScorer
    """

    state: State
    model: str
    version: int
    generation: int
    scorer: RowScorer

    def append(self, rows: pa.Table, *, source_digest: str, first_row: int) -> list[str]:
        """Write the predictions of rows, in transactions of 10,000, and return their identifiers.

        Rows of an earlier run stay unchanged. `source_digest` is that of the file, `first_row` the number of the first
        row in it.

        Raises
        ------
        DependencyUnavailable
            When the database cannot be written.
        """
        package_digest = self.scorer.package.digest
        ids = derive_prediction_ids(
            source_digest, package_digest, model=self.model, first_row=first_row, n_rows=rows.num_rows
        )
        writer = PredictionWriter(self.state)
        try:
            for start in range(0, rows.num_rows, _BATCH_ROWS):
                batch_ids = ids[start : start + _BATCH_ROWS]
                n_logged = self._count_logged(batch_ids)
                if n_logged < len(batch_ids):
                    batch = self._prediction_rows(rows.slice(start, _BATCH_ROWS), batch_ids)
                    self._write(writer, batch, is_new=n_logged == 0)
        finally:
            writer.close()
        return ids

    def _count_logged(self, ids: list[str]) -> int:
        """Return how many of the identifiers of consecutive rows are in the log."""
        with self.state.reading() as connection:
            return store.count_predictions_between(connection, ids[0], ids[-1])

    def _write(self, writer: PredictionWriter, batch: list[PredictionRow], *, is_new: bool) -> None:
        """Write the rows that the log lacks; another process may log rows of the same file at the same time."""
        missing = batch if is_new else self._list_missing(batch)
        while missing:
            try:
                writer.write(missing, has_client_ids=True)
            except PredictionIdTaken:
                missing = self._list_missing(missing)
            else:
                return

    def _list_missing(self, batch: list[PredictionRow]) -> list[PredictionRow]:
        with self.state.reading() as connection:
            logged = store.existing_prediction_ids(connection, [row.prediction_id for row in batch])
        return [row for row in batch if row.prediction_id not in logged]

    def _prediction_rows(self, rows: pa.Table, ids: list[str]) -> list[PredictionRow]:
        columns = [_to_request_values(rows.column(name)) for name in self.scorer.package.schema.feature_names]
        scored_rows = self.scorer.score(list(zip(*columns, strict=True)))
        shared: dict[str, Any] = {
            "predicted_at": self.state.clock(),
            "model": self.model,
            "version": self.version,
            "digest": self.scorer.package.digest,
            "generation": self.generation,
            "served_by": "production",
            "variant": "champion",
            "source": "file",
            "latency_us": 0,  # a file has no request that waits
            "weight": 1.0,
            "idempotency_key": None,
            "subject": None,
        }
        return [
            PredictionRow(
                prediction_id=prediction_id,
                features=scored.logged_features,
                prediction=scored.label,
                probabilities=scored.probabilities_json,
                confidence=scored.confidence,
                **shared,
            )
            for prediction_id, scored in zip(ids, scored_rows, strict=True)
        ]


def _to_request_values(values: Any) -> list[Any]:
    """Return the values of a column in the form of a request, with timestamps as text."""
    return [value.isoformat() if hasattr(value, "isoformat") else value for value in values.to_pylist()]

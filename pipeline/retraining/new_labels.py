"""Read the labels that arrived since the last snapshot, and divide them into rows to learn from and fresh rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline import state as store
from pipeline.errors import DataError
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.retraining.label_guards import LabelEvidence
from pipeline.retraining.labeled_snapshot import labeled_frame
from pipeline.state.label_quality import corrected_predictions, count_outcomes_by_prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.metrics import LabeledPredictions
    from pipeline.package import Package
    from pipeline.schema import Schema
    from pipeline.state import LabeledRow, LabeledRows, Retrain, State

__all__ = ["NewLabels", "last_snapshot", "read_fresh_rows", "read_new_labels", "score_labels"]

_WITHOUT_SNAPSHOT = ("failed", "discarded")
_NO_LIMIT = 2**62  # more predictions than a log holds


@dataclass(frozen=True, slots=True)
class NewLabels:
    """Labeled predictions that no snapshot holds, in the order of their numbers, and what the guards need of them."""

    wanted: LabeledRows
    rows: Sequence[LabeledRow]
    corrected: set[str]
    coverage: dict[str, tuple[int, int]]

    @property
    def n_labels(self) -> int:
        """Number of predictions with an outcome."""
        return len(self.rows)

    @property
    def mean_bytes(self) -> float:
        """Mean size of the features of a row as text."""
        return sum(len(row.features) for row in self.rows) / len(self.rows) if self.rows else 0.0

    def last_learned(self, fresh_share: float) -> int:
        """Return the number of the last prediction that a candidate may learn from; later ones are fresh."""
        n_learned = self.n_labels - round(self.n_labels * fresh_share)
        return self.rows[n_learned - 1].seq if n_learned else self.wanted.after_prediction

    def evidence(self, champion: Package) -> LabelEvidence:
        """Return the labels as the guards see them, scored by the champion."""
        scored = score_labels(labeled_frame(self.rows, champion.schema), champion) if self.rows else None
        n_classes = len(champion.classes)
        return LabelEvidence(
            callers=[row.caller for row in self.rows],
            y=np.zeros(0, dtype=np.int64) if scored is None else np.asarray(scored.y, dtype=np.int64),
            probabilities=np.zeros((0, n_classes)) if scored is None else scored.probabilities,
            is_changed=np.asarray([row.prediction_id in self.corrected for row in self.rows], dtype=np.bool_),
            coverage=self.coverage,
        )


def last_snapshot(retrains: Sequence[Retrain]) -> int:
    """Return the number of the last prediction that a snapshot of an earlier retrain may hold; 0 without one."""
    untils = [
        retrain.until_prediction
        for retrain in retrains
        if retrain.until_prediction is not None and retrain.state not in _WITHOUT_SNAPSHOT
    ]
    return max(untils, default=0)


def read_new_labels(
    state: State, schema: Schema, *, model: str, retrains: Sequence[Retrain], skip_callers: Sequence[str]
) -> NewLabels:
    """Return the labels of predictions that no snapshot of `retrains` holds, without outcomes of unknown classes."""
    with state.reading() as connection:
        until_prediction, until_outcome = store.last_log_numbers(connection)
        wanted = store.LabeledRows(
            model=model,
            until_prediction=until_prediction,
            until_outcome=until_outcome,
            after_prediction=last_snapshot(retrains),
            skip_callers=tuple(skip_callers),
        )
        rows = list(store.read_labeled_rows(connection, wanted))
        corrected = corrected_predictions(connection, wanted)
        coverage = count_outcomes_by_prediction(connection, wanted)
    known = [row for row in rows if row.outcome in schema.target.classes]
    return NewLabels(wanted, known, corrected, coverage)


def read_fresh_rows(state: State, schema: Schema, retrain: Retrain, *, skip_callers: Sequence[str]) -> pd.DataFrame:
    """Return the labeled rows after the snapshot of a retrain, up to the outcome at which it was taken."""
    if retrain.until_prediction is None or retrain.until_outcome is None:
        raise DataError(f"retrain {retrain.seq}: no snapshot was taken yet, so no row is fresh")
    wanted = store.LabeledRows(
        model=retrain.model,
        until_prediction=_NO_LIMIT,
        until_outcome=retrain.until_outcome,
        after_prediction=retrain.until_prediction,
        skip_callers=tuple(skip_callers),
    )
    with state.reading() as connection:
        rows = list(store.read_labeled_rows(connection, wanted))
    return labeled_frame([row for row in rows if row.outcome in schema.target.classes], schema)


def score_labels(frame: pd.DataFrame, package: Package) -> LabeledPredictions:
    """Return labeled rows as a package predicts them."""
    target = package.schema.target
    codes = encode_target(frame, target)
    return make_scored_rows(target, codes, package.predict_proba(frame), threshold=package.row_thresholds(frame))

"""Fit configurations fold by fold, and keep their out-of-fold scores in a folder so that a search can be resumed."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline import files
from pipeline.errors import ConfigError
from pipeline.metrics.row_losses import ROW_LOSS_METRICS, row_losses_by_class
from pipeline.modeling.boosting_rounds import FIRST_ROUNDS, chooses_rounds, with_rounds
from pipeline.modeling.calibration import fit_calibration
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.complexity import estimator_complexity
from pipeline.modeling.mitigation import Mitigation
from pipeline.modeling.row_weights import row_weights
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.modeling.training import assign_folds
from pipeline.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.root_config import Config

    Floats = NDArray[np.float64]

__all__ = ["FoldScore", "FoldScores"]


@dataclass(frozen=True, slots=True)
class FoldScore:
    """Uncalibrated probabilities of the rows of one fold, and the complexity of the estimator that gave them."""

    probabilities: Floats
    complexity: float | None

    def to_bytes(self) -> bytes:
        """Return the content of a ledger file."""
        buffer = io.BytesIO()
        complexity = np.nan if self.complexity is None else self.complexity
        np.savez(buffer, probabilities=self.probabilities, complexity=np.float64(complexity))
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> FoldScore:
        """Return the score in a ledger file."""
        with np.load(path, allow_pickle=False) as stored:
            complexity = float(stored["complexity"])
            return cls(stored["probabilities"], None if np.isnan(complexity) else complexity)


@dataclass
class FoldScores:
    """Out-of-fold scores of configurations on the same folds of the same rows.

    Parameters
    ----------
    configs : sequence of Config
        They differ in `features`, `model` and `training`; the folds and the metric are those of the first.
    frame : DataFrame
        Train rows with the target.
    ledger : sequence of Path
        A folder for each configuration, named by all that its scores depend on.

    Raises
    ------
    ConfigError
        When the metric is no mean over rows.
    """

    configs: Sequence[Config]
    frame: pd.DataFrame
    ledger: Sequence[Path]
    _scores: dict[tuple[int, int], FoldScore] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Assign the folds."""
        config = self.configs[0]
        self.metric = config.training.selection_metric
        if self.metric not in ROW_LOSS_METRICS:
            raise ConfigError(
                f"training.selection_metric: {self.metric} is no mean over rows, which a race compares; set it to one"
                f" of {', '.join(ROW_LOSS_METRICS)}"
            )
        self.schema = Schema.from_config(config.data)
        self.codes = encode_target(self.frame, self.schema.target)
        self.fold_of = assign_folds(self.codes, self.schema.target, config.training.folds, seed=config.seed)

    def fit(self, number: int, fold: int) -> None:
        """Fit a configuration on the rows outside of a fold, unless the ledger has its scores."""
        path = self.ledger[number] / f"fold_{fold}.npz"
        if path.exists():
            self._scores[number, fold] = FoldScore.read(path)
            return
        config, inside = self.configs[number], self.fold_of == fold
        model = config.model
        classifier = fit_classifier(
            self.frame[~inside],
            self.schema,
            config.features,
            model=with_rounds(model, FIRST_ROUNDS) if chooses_rounds(model) else model,
            seed=config.seed,
            class_weight=config.training.class_weight,
            mitigation=Mitigation.from_config(config.fairness, self.schema),
        )
        score = FoldScore(classifier.predict_proba(self.frame[inside]), estimator_complexity(classifier.estimator))
        with files.atomic_file(path) as temporary:
            temporary.write_bytes(score.to_bytes())
        self._scores[number, fold] = score

    def complexity(self, number: int) -> float | None:
        """Return the mean complexity of a configuration over its folds; None where it is not known."""
        sizes = [score.complexity for (other, _), score in self._scores.items() if other == number]
        known = [size for size in sizes if size is not None]
        return float(np.mean(known)) if known and len(known) == len(sizes) else None

    def losses(self, number: int, n_folds: int) -> Floats | None:
        """Return the losses of a configuration on the rows of its first folds, in the order of the folds.

        A calibration is fitted to the scores of the other folds, so with one fold there is none, and no loss.
        """
        parts = [self._scores[number, fold].probabilities for fold in range(n_folds)]
        codes = np.concatenate([self.codes[self.fold_of == fold] for fold in range(n_folds)])
        kind = self.configs[number].training.calibration
        if kind != "none" and n_folds == 1:
            return None
        raw = np.concatenate(parts)
        return self._row_losses(raw if kind == "none" else self._cross_calibrated(kind, raw, n_folds), codes)

    def _cross_calibrated(self, kind: str, raw: Floats, n_folds: int) -> Floats:
        """Return the scores of each fold by a calibration of the other folds."""
        weights, rows = (
            row_weights(self.frame, self.schema),
            [np.flatnonzero(self.fold_of == f) for f in range(n_folds)],
        )
        order = np.concatenate(rows)
        calibrated = np.empty_like(raw)
        for fold in range(n_folds):
            inside = self.fold_of[order] == fold
            outside = order[~inside]
            calibration = fit_calibration(
                kind, raw[~inside], self.codes[outside], weights=None if weights is None else weights[outside]
            )
            calibrated[inside] = calibration.apply(raw[inside])
        return calibrated

    def _row_losses(self, probabilities: Floats, codes: NDArray[np.int64]) -> Floats:
        threshold = 0.5 if self.schema.target.is_binary else None
        scored = make_scored_rows(self.schema.target, codes, probabilities, threshold=threshold)
        return scored.of_true_class(row_losses_by_class(scored, self.metric))

"""Evaluate the rows of a frame like a window of the prediction log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.evaluation.protected_groups import group_protected_columns
from pipeline.fairness import FairnessReport, GroupTallies, assess_fairness
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.monitoring.drift import detect_drift, joint_drift, present_columns, with_reference_problems
from pipeline.monitoring.importance.importance_history import ImportanceHistory
from pipeline.monitoring.log import count_frame
from pipeline.monitoring.performance import evaluate_frame
from pipeline.monitoring.window_view import WindowView
from pipeline.package.reference import build_reference

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.monitoring.drift import DriftReport
    from pipeline.monitoring.log import BinCounts
    from pipeline.monitoring.performance import PerformanceReport
    from pipeline.package import Reference

__all__ = ["FrameWindowView"]

_N_GROUPS = 4  # of a protected column of numbers that is no feature


@dataclass(frozen=True)
class FrameWindowView(WindowView):
    """The rows of a frame, evaluated like a window of the log.

    Parameters
    ----------
    frame : DataFrame
        Rows with columns of the model, and outcomes in the target column where it has one.
    reference_frame : DataFrame, optional
        Rows to compare with; the training rows when None.

    Raises
    ------
    DataError
        When a frame has no rows, or no column of the model.
    """

    frame: pd.DataFrame = field(kw_only=True)
    reference_frame: pd.DataFrame | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the frames."""
        names = self.package.schema.feature_names
        for name, frame in (("prediction_data", self.frame), ("reference_data", self.reference_frame)):
            if frame is not None and (len(frame) == 0 or not set(names) & set(frame.columns)):
                raise DataError(
                    f"{name}: has no rows with columns of the model; expected a frame with {', '.join(names)}"
                )

    @cached_property
    def counts(self) -> BinCounts:
        """The rows of the frame by bin."""
        return self._count(self.frame, self.package.reference)

    @cached_property
    def drift(self) -> DriftReport:
        """The drift against the reference frame, with the multivariate test, or against the training rows."""
        if self.reference_frame is None:
            return detect_drift(self.package.reference, self.counts, self.drift_context)
        score, _, predicted = self._outputs(self.reference_frame)
        reference = build_reference(
            self.reference_frame,
            present_columns(self.package.schema, self.reference_frame),
            score=score,
            predicted=predicted,
            n_bins=self.config.training.reference_bins,
        )
        counts = with_reference_problems(self._count(self.frame, reference), self.package.schema, self.reference_frame)
        report = detect_drift(reference, counts, self.drift_context)
        multivariate = joint_drift(self.reference_frame, self.frame, self.package.schema, config=self.config)
        return replace(report, multivariate=multivariate)

    @cached_property
    def performance(self) -> PerformanceReport:
        """The realized and the estimated performance."""
        columns = [*self.package.schema.feature_names, *set(self.frame.columns) & {self.package.schema.target.column}]
        rows = self.frame.reindex(columns=columns)
        return evaluate_frame(rows, self.package, self._probabilities, intervals=self.interval_options)

    @cached_property
    def traffic(self) -> dict[str, Any]:
        """Plain values about the number of predictions."""
        return {
            "total_predictions": len(self.frame),
            "average_confidence": float(self._probabilities.max(axis=1).mean()),
            "n_outcomes": self.performance.realized.n_outcomes,
        }

    @cached_property
    def fairness(self) -> FairnessReport:
        """The groups of protected columns, compared on the rows with outcomes; of none without a target column."""
        schema, fairness = self.package.schema, self.config.fairness
        if schema.target.column not in self.frame:
            return assess_fairness([], schema.target, fairness)
        is_known = self.frame[schema.target.column].isin(schema.target.classes).to_numpy(dtype=bool)
        if not is_known.any():
            return assess_fairness([], schema.target, fairness)
        frame = self.frame[is_known]
        rows = frame.reindex(columns=list(schema.feature_names))
        scored = make_scored_rows(
            schema.target,
            encode_target(frame, schema.target),
            self._probabilities[is_known],
            threshold=self.package.row_thresholds(rows),
        )
        groups = group_protected_columns(self.package, frame, frame, pairs=fairness.pairs, n_bins=_N_GROUPS)
        tallies = [GroupTallies.from_rows(grouping, scored) for grouping in groups.groupings]
        return assess_fairness(tallies, schema.target, fairness, skipped=groups.skipped)

    @cached_property
    def importance_history(self) -> ImportanceHistory:
        """The importance of features on test rows: a frame has no windows."""
        return ImportanceHistory.of_test_rows(self.package)

    @property
    def is_provisional(self) -> bool:
        """False: the outcomes of a frame are complete."""
        return False

    @property
    def bounds(self) -> None:
        """None: the rows of a frame have no times."""
        return

    @cached_property
    def _probabilities(self) -> NDArray[np.float64]:
        return self.package.predict_proba(self.frame.reindex(columns=list(self.package.schema.feature_names)))

    def _outputs(self, frame: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
        rows = frame.reindex(columns=list(self.package.schema.feature_names))
        probabilities, target = self.package.predict_proba(rows), self.package.schema.target
        confidence = probabilities.max(axis=1)
        is_binary = target.positive is not None
        score = probabilities[:, target.classes.index(str(target.positive))] if is_binary else confidence
        return score, confidence, self.package.predict(rows)

    def _count(self, frame: pd.DataFrame, reference: Reference) -> BinCounts:
        score, confidence, predicted = self._outputs(frame)
        return count_frame(reference, frame, n_rows=len(frame), score=score, confidence=confidence, predicted=predicted)

"""Hold the results on the test rows, and write them as plain values and tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.files import atomic_folder
from pipeline.metrics import METRICS, MetricEstimate, round_significant
from pipeline.modeling.baselines import baseline_metric_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.evaluation.importance import Importance
    from pipeline.evaluation.slices import SliceReport
    from pipeline.fairness import FairnessReport
    from pipeline.package import Package

__all__ = ["Baseline", "EvaluationReport", "Parity"]


@dataclass(frozen=True, slots=True)
class Parity:
    """Proof that the served form predicts what scikit-learn predicts on the test rows.

    Classes are equal and probabilities within `tolerance`; None where scikit-learn itself is the served form.
    """

    onnx_used: bool
    rows: int
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """Metrics of a baseline on the test rows, and the differences model minus baseline with paired intervals."""

    metrics: dict[str, float | None]
    difference: dict[str, MetricEstimate]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 10 significant digits."""
        return {"metrics": self.metrics, "difference": _as_dicts(self.difference)}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All results on the test rows.

    Attributes
    ----------
    package : Package
        The evaluated package.
    metrics : dict of MetricEstimate
        By name, with intervals.
    by_class : dict of dict
        Rows, precision, recall and AUC of each class against the rest.
    confusion : int, shape (n_classes, n_classes)
        Rows by true (down) and predicted (across) class.
    baselines : dict of Baseline
    slices : SliceReport
        Slices of the test rows, worst first, and those with too few rows.
    fairness : FairnessReport
        The groups of protected columns, compared on the test rows.
    importance : list of Importance
        Greatest first.
    tables : dict of DataFrame
        The curves and the importance, by the name of their file in plots/.
    parity : Parity
    selection_metric : str
        The metric `training.selection_metric`.
    confidence_level : float
        Level of all intervals.
    n_train : int
        Rows that the package was fitted to.
    """

    package: Package
    metrics: dict[str, MetricEstimate]
    by_class: dict[str, dict[str, float | None]]
    confusion: NDArray[np.int64]
    baselines: dict[str, Baseline]
    slices: SliceReport
    fairness: FairnessReport
    importance: list[Importance]
    tables: dict[str, pd.DataFrame]
    parity: Parity
    selection_metric: str
    confidence_level: float
    n_train: int

    @property
    def n_test(self) -> int:
        """Number of test rows."""
        return int(self.confusion.sum())

    @property
    def selection_value(self) -> float:
        """The selection metric on the test rows; NaN where it is not defined there."""
        value = self.metrics[self.selection_metric].value
        return float("nan") if value is None else value

    @property
    def summary(self) -> str:
        """The selection metric with its interval and its value for each baseline, in one line."""
        estimate = self.metrics[self.selection_metric]
        interval = "" if estimate.low is None else f" [{estimate.low:.4f}, {estimate.high:.4f}]"
        baselines = [
            f"{name} {baseline.metrics[self.selection_metric]:.4f}" for name, baseline in self.baselines.items()
        ]
        value = f"{self.selection_metric} {self.selection_value:.4f}{interval}"
        return f"{value} on {self.n_test} rows ({', '.join(baselines)})"

    def dvc_metrics(self) -> dict[str, Any]:
        """Return the values for `dvc metrics`: each metric, and a few metrics of each baseline."""
        names = baseline_metric_names(self.selection_metric)
        values: dict[str, Any] = {name: round_significant(estimate.value) for name, estimate in self.metrics.items()}
        values["baselines"] = {
            baseline: {name: result.metrics[name] for name in names} for baseline, result in self.baselines.items()
        }
        return values

    def write_tables(self, folder: Path) -> None:
        """Write the curves and the importance to `folder` as CSV files, whole or not at all, for `dvc plots`."""
        with atomic_folder(folder) as temporary:
            for name, table in self.tables.items():
                table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain values with 10 significant digits."""
        target = self.package.schema.target
        directions = {
            name: {"unit": METRICS[name].unit, "higher_is_better": METRICS[name].higher_is_better} for name in METRICS
        }
        return {
            "package": self.package.digest,
            "model": self.package.manifest.model,
            "rows": {"train": self.n_train, "test": self.n_test},
            "target": {"column": target.column, "classes": list(target.classes), "positive": target.positive},
            "threshold": round_significant(self.package.threshold),
            "selection_metric": self.selection_metric,
            "confidence_level": self.confidence_level,
            "metrics": {name: {**estimate, **directions[name]} for name, estimate in _as_dicts(self.metrics).items()},
            "cross_validated": self.package.metrics,
            "by_class": self.by_class,
            "confusion": self.confusion.tolist(),
            "baselines": _as_dicts(self.baselines),
            "slices": [slice_.as_dict() for slice_ in self.slices.evaluated],
            "too_small_slices": [asdict(slice_) for slice_ in self.slices.too_small],
            "fairness": self.fairness.as_dict(),
            "importance": [importance.as_dict() for importance in self.importance],
            "parity": asdict(self.parity),
        }


def _as_dicts(values: Mapping[str, MetricEstimate] | Mapping[str, Baseline]) -> dict[str, dict[str, Any]]:
    return {name: value.as_dict() for name, value in values.items()}

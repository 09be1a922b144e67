"""What was found on the test rows, and how files say it."""

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
    from pipeline.evaluation.slices import Slice
    from pipeline.package import Package

__all__ = ["Baseline", "EvaluationReport", "Parity"]


@dataclass(frozen=True, slots=True)
class Parity:
    """Proof that what is served answers as scikit-learn does on the test rows.

    Classes are equal and probabilities within `tolerance`; None where scikit-learn itself serves.
    """

    onnx_used: bool
    rows: int
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline's figures on the test rows, and the model's minus them with paired intervals."""

    metrics: dict[str, float | None]
    difference: dict[str, MetricEstimate]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 10 significant digits."""
        return {"metrics": self.metrics, "difference": _as_dicts(self.difference)}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Everything that was found on the test rows.

    Attributes
    ----------
    package : Package
        What was judged.
    metrics : dict of Estimate
        By name, with intervals.
    by_class : dict of dict
        Rows, precision, recall and AUC of each class against the rest.
    confusion : int, shape (n_classes, n_classes)
        Rows by true (down) and predicted (across) class.
    baselines : dict of Baseline
    slices, too_small
        Parts of the rows, worst first, and those with too few rows.
    importance : list of Importance
        Greatest first.
    tables : dict of DataFrame
        The curves and the importance, by the name of their file in plots/.
    parity : Parity
    objective : str
        The metric that training compares by.
    confidence : float
        Level of all intervals.
    n_train : int
        Rows that the package was fitted to.
    """

    package: Package
    metrics: dict[str, MetricEstimate]
    by_class: dict[str, dict[str, float | None]]
    confusion: NDArray[np.int64]
    baselines: dict[str, Baseline]
    slices: list[Slice]
    too_small_slices: list[tuple[str, str, int]]
    importance: list[Importance]
    tables: dict[str, pd.DataFrame]
    parity: Parity
    objective: str
    confidence: float
    n_train: int

    @property
    def n_test(self) -> int:
        """Rows that were judged."""
        return int(self.confusion.sum())

    @property
    def objective_value(self) -> float:
        """The objective on the test rows; NaN where it is not defined there."""
        found = self.metrics[self.objective].value
        return float("nan") if found is None else found

    @property
    def summary(self) -> str:
        """The objective with its interval and the baselines', in one line."""
        one = self.metrics[self.objective]
        interval = "" if one.low is None else f" [{one.low:.4f}, {one.high:.4f}]"
        others = [f"{name} {figures.metrics[self.objective]:.4f}" for name, figures in self.baselines.items()]
        return f"{self.objective} {self.objective_value:.4f}{interval} on {self.n_test} rows ({', '.join(others)})"

    def dvc_metrics(self) -> dict[str, Any]:
        """Return the figures for `dvc metrics`: each metric, and a few of each baseline."""
        shown = baseline_metric_names(self.objective)
        values: dict[str, Any] = {name: round_significant(one.value) for name, one in self.metrics.items()}
        values["baselines"] = {
            name: {metric: one.metrics[metric] for metric in shown} for name, one in self.baselines.items()
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
        about = {
            name: {"unit": METRICS[name].unit, "higher_is_better": METRICS[name].higher_is_better} for name in METRICS
        }
        return {
            "package": self.package.digest,
            "model": self.package.manifest.model,
            "rows": {"train": self.n_train, "test": self.n_test},
            "target": {"column": target.column, "classes": list(target.classes), "positive": target.positive},
            "threshold": round_significant(self.package.threshold),
            "objective": self.objective,
            "confidence": self.confidence,
            "metrics": {name: {**one, **about[name]} for name, one in _as_dicts(self.metrics).items()},
            "cross_validated": self.package.metrics,
            "by_class": self.by_class,
            "confusion": self.confusion.tolist(),
            "baselines": _as_dicts(self.baselines),
            "slices": [one.as_dict() for one in self.slices],
            "too_small_slices": [
                dict(zip(("column", "value", "rows"), one, strict=True)) for one in self.too_small_slices
            ],
            "importance": [one.as_dict() for one in self.importance],
            "parity": asdict(self.parity),
        }


def _as_dicts(figures: Mapping[str, MetricEstimate] | Mapping[str, Baseline]) -> dict[str, dict[str, Any]]:
    return {name: one.as_dict() for name, one in figures.items()}

"""Compare each metric of the last run of the monitor with its value in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.metrics.metric_labels import metric_label

if TYPE_CHECKING:
    from pipeline.state import MonitorRun

__all__ = ["ProductionMetric", "production_metrics"]


@dataclass(frozen=True, slots=True)
class ProductionMetric:
    """A metric of production and its value in training.

    Attributes
    ----------
    name : str
    value, training : float
    is_measured : bool
        Whether outcomes measured the value; otherwise it follows from the predicted probabilities.
    verdict : str or None
        That of the monitor: `ok`, `watch`, `degraded`; None if there is none.
    """

    name: str
    value: float
    training: float
    is_measured: bool
    verdict: str | None

    @property
    def label(self) -> str:
        """Name of the metric for people."""
        return metric_label(self.name)

    @property
    def relative_change(self) -> float | None:
        """The change as a share of the value in training; None if that is zero."""
        return (self.value - self.training) / abs(self.training) if self.training else None


def production_metrics(run: MonitorRun | None) -> tuple[ProductionMetric, ...]:
    """Return the metrics of a run that have a value in training, measured ones before estimated ones.

    A run with too few rows has none.
    """
    if run is None or run.verdict in ("not_enough_data", "not_evaluated"):
        return ()
    changes = []
    for name, metric in run.summary.get("metrics", {}).items():
        is_measured = metric["realized"] is not None and metric["verdict"] not in (None, "not_enough_data")
        value = metric["realized"] if is_measured else metric["estimated"]
        if value is None or metric["baseline"] is None:
            continue
        verdict = metric["verdict"] if is_measured else None
        changes.append(ProductionMetric(name, value, metric["baseline"], is_measured, verdict))
    return tuple(sorted(changes, key=lambda change: not change.is_measured))

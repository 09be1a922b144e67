"""Compare two versions on test rows: on the same rows where both can be scored, else by their recorded metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.evaluation import assess_groups, compare_slices, curve_tables, evaluated_metrics
from pipeline.gates import score_with_both
from pipeline.metrics import CALIBRATION_DIFFERENCE, METRICS, MetricEstimate, compare_paired, estimate_metrics
from pipeline.metrics.metric_labels import metric_label
from pipeline.project import paths
from pipeline.text import percent, pluralize
from pipeline.version_comparison.metric_comparison import MetricComparison, unpaired_difference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.evaluation import SliceChange
    from pipeline.fairness import FairnessReport
    from pipeline.metrics import LabeledPredictions
    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["EvaluationComparison", "VersionDetails", "compare_evaluations", "evaluation_summary"]


@dataclass(frozen=True, slots=True)
class VersionDetails:
    """A version with its package."""

    version: ModelVersion
    package: Package

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that its training read, by key path; empty when the package does not have them."""
        settings: Mapping[str, Any] = self.package.lineage.get("settings", {})
        return settings


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """Two versions on test rows.

    Attributes
    ----------
    first, second : int
        Numbers of the versions.
    selection_metric : str
        The metric that decides the verdict.
    confidence_level : float
    metrics : tuple of MetricComparison
    n_rows : int or None
        Test rows that both were scored on; None when they were not.
    reason : str
        Why they were not scored on the same rows; empty when they were.
    slices : tuple of SliceChange
        Empty without the same rows, as what follows.
    curves : pair of mappings
        Tables by name, as in plots/.
    fairness : pair of FairnessReport, or None
    """

    first: int
    second: int
    selection_metric: str
    confidence_level: float
    metrics: tuple[MetricComparison, ...] = ()
    n_rows: int | None = None
    reason: str = ""
    slices: tuple[SliceChange, ...] = ()
    curves: tuple[Mapping[str, pd.DataFrame], Mapping[str, pd.DataFrame]] = field(default=({}, {}), repr=False)
    fairness: tuple[FairnessReport, FairnessReport] | None = None

    @property
    def deciding(self) -> MetricComparison | None:
        """The comparison by the selection metric; None when it is unknown."""
        return next((metric for metric in self.metrics if metric.name == self.selection_metric), None)

    @property
    def verdict(self) -> str:
        """The verdict on the second version, by the selection metric."""
        return "not compared" if self.deciding is None else self.deciding.verdict

    @property
    def rows_sentence(self) -> str:
        """The rows behind the numbers."""
        level = f"{percent(self.confidence_level)} intervals"
        if self.n_rows is not None:
            return f"Both on the same {pluralize(self.n_rows, 'test row')}; {level} of the paired difference."
        return f"Not on the same test rows: {self.reason}. {level.capitalize()} of independent rows."

    @property
    def summary(self) -> str:
        """The verdict in a sentence, with the metrics that differ significantly."""
        deciding = self.deciding
        if deciding is None or deciding.verdict == "not compared":
            why = self.reason if deciding is None else f"{deciding.sentence}"
            return f"Version {self.second} was not compared with version {self.first}: {why}."
        if deciding.verdict == "equal":
            return f"Version {self.second} predicts the same as version {self.first} on these test rows."
        relation = {
            "better": f"Version {self.second} is significantly better than version {self.first}",
            "worse": f"Version {self.second} is significantly worse than version {self.first}",
        }.get(deciding.verdict, f"No significant difference between versions {self.first} and {self.second}")
        others = [part for part in (self._others("better"), self._others("worse")) if part]
        rows = "" if deciding.is_paired else " (on different test rows)"
        return "; ".join([f"{relation}{rows}: {deciding.sentence}", *others]) + "."

    def _others(self, verdict: str) -> str:
        names = [
            metric_label(metric.name)
            for metric in self.metrics
            if metric.verdict == verdict and metric.name != self.selection_metric
        ]
        return f"also {verdict}: {', '.join(names)}" if names else ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values without the curves."""
        return {
            "verdict": self.verdict,
            "summary": self.summary,
            "n_rows": self.n_rows,
            "reason": self.reason,
            "selection_metric": self.selection_metric,
            "confidence_level": self.confidence_level,
            "metrics": [metric.as_dict() for metric in self.metrics],
            "slices": [
                {
                    "column": change.column,
                    "value": change.value,
                    "metric": change.metric,
                    "n_rows": change.n_rows,
                    "first": change.before,
                    "second": change.after,
                    "difference": change.difference.as_dict(),
                    "verdict": change.verdict,
                }
                for change in self.slices
            ],
            "fairness": None if self.fairness is None else [report.as_dict() for report in self.fairness],
        }


def evaluation_summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version keeps of its evaluation report: its metrics with intervals.

    Parameters
    ----------
    report : mapping
        The content of reports/evaluation.json.
    """
    names = ("value", "low", "high", "reason")
    return {
        "n_test": report["rows"]["test"],
        "confidence_level": report["confidence_level"],
        "selection_metric": report["selection_metric"],
        "metrics": {metric: {name: estimate[name] for name in names} for metric, estimate in report["metrics"].items()},
    }


def compare_evaluations(
    first: VersionDetails, second: VersionDetails, config: Config, *, root: Path
) -> EvaluationComparison:
    """Compare two versions on the test rows of the workspace when both were trained beside them.

    Otherwise the metrics that were recorded at their registration are compared, with intervals of independent rows.

    Parameters
    ----------
    first, second : VersionDetails
    config : Config
        `evaluation`, `fairness` and `training.selection_metric` are read.
    root : Path
        Folder of the project.
    """
    packages = first.package, second.package
    reason = _why_rows_differ(packages, root / paths.TEST_ROWS)
    scored, test = None, None
    if not reason:
        test = files.read_parquet(root / paths.TEST_ROWS)
        scored = score_with_both(packages[1], packages[0], test, n_bins=config.evaluation.calibration_bins)
        reason = "" if scored is not None else "the versions predict other classes, or from other columns"
    if scored is None or test is None:
        return _compare_recorded(first.version, second.version, config, reason=reason)
    new, old = scored
    train = files.read_parquet(root / paths.TRAIN_ROWS) if (root / paths.TRAIN_ROWS).is_file() else test
    return EvaluationComparison(
        first.version.version,
        second.version.version,
        config.training.selection_metric,
        config.evaluation.confidence_level,
        metrics=_compare_metrics(old, new, config),
        n_rows=len(test),
        slices=compare_slices(scored, train, test, schema=packages[1].schema, config=config.evaluation),
        curves=(curve_tables(old, packages[0].classes), curve_tables(new, packages[1].classes)),
        fairness=_compare_groups(packages, (old, new), train, test, config=config),
    )


def _why_rows_differ(packages: tuple[Package, Package], test_rows: Path) -> str:
    """Return why the workspace has no test rows of both packages; empty when it has."""
    digests = [package.lineage.get("data_sha256", {}).get("test") for package in packages]
    if None in digests:
        return "the package of a version does not name its test rows"
    if digests[0] != digests[1]:
        return "the versions were trained beside different test rows"
    if not test_rows.is_file() or files.sha256_file(test_rows) != digests[0]:
        return f"{paths.TEST_ROWS} of this folder has other rows; `dvc checkout` restores those of a commit"
    return ""


def _compare_metrics(old: LabeledPredictions, new: LabeledPredictions, config: Config) -> tuple[MetricComparison, ...]:
    names = evaluated_metrics(config.evaluation, config.training.selection_metric)
    level = config.evaluation.confidence_level
    first, second = (estimate_metrics(scored, names, confidence_level=level) for scored in (old, new))
    differences = compare_paired(new, old, names, confidence_level=level)
    return tuple(MetricComparison(name, first[name], second[name], differences[name], is_paired=True) for name in names)


def _compare_groups(
    packages: tuple[Package, Package],
    scored: tuple[LabeledPredictions, LabeledPredictions],
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    config: Config,
) -> tuple[FairnessReport, FairnessReport] | None:
    options: Any = {"config": config.evaluation, "fairness": config.fairness}
    first, second = (
        assess_groups(package, predictions, train, test, **options)
        for package, predictions in zip(packages, scored, strict=True)
    )
    return (first, second) if first.columns or second.columns else None


def _compare_recorded(
    first: ModelVersion, second: ModelVersion, config: Config, *, reason: str
) -> EvaluationComparison:
    old, new = (
        {
            name: MetricEstimate.from_dict(estimate)
            for name, estimate in ((version.tags.get("evaluation") or {}).get("metrics") or {}).items()
            if name in METRICS
        }
        for version in (first, second)
    )
    names = dict.fromkeys((*evaluated_metrics(config.evaluation, config.training.selection_metric), *new))
    return EvaluationComparison(
        first.version,
        second.version,
        config.training.selection_metric,
        config.evaluation.confidence_level,
        metrics=tuple(
            MetricComparison(name, old[name], new[name], _unpaired(name, old[name], new[name]), is_paired=False)
            for name in names
            if name in old and name in new
        ),
        reason=reason,
    )


def _unpaired(name: str, first: MetricEstimate, second: MetricEstimate) -> MetricEstimate:
    difference = unpaired_difference(first, second)
    if METRICS[name].has_paired_interval:
        return difference
    return MetricEstimate(difference.value, reason=CALIBRATION_DIFFERENCE)

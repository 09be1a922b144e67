"""Summarize the last run of a project: data, package, metrics, and the next commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.errors import DataError, DependencyUnavailable, NotAllowed
from pipeline.files import read_json
from pipeline.project import paths
from pipeline.project.engine_files import stage_command
from pipeline.registry import open_model_registry
from pipeline.registry.candidate_registration import registered_candidate
from pipeline.text import number, percent, pluralize

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config

__all__ = ["ProjectSummary", "SummaryMetric", "summarize_project"]

_HEADLINE_METRICS = ("log_loss", "roc_auc", "accuracy", "ece")
_NEXT_COMMANDS = (
    ("HTML reports", "reports/index.html"),
    ("model card", "reports/model_card.md"),
    ("predictions over HTTP", "make serve"),
    ("dashboard", "make app"),
    ("drift since training", "make monitor"),
    ("runs and metrics", "mlflow ui --backend-store-uri sqlite:///mlflow.db"),
    ("another model", "dvc exp run -S model=random_forest"),
    ("your own data", "mlops data init FILE --target COLUMN"),
    ("every setting", f"{stage_command('train')} --help"),
)


@dataclass(frozen=True, slots=True)
class SummaryMetric:
    """One metric on the test rows with its interval, or the reason for none."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    baselines: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """The results of the last run.

    Attributes
    ----------
    problem, model : str
        Names of the dataset and of the model.
    digest : str
        SHA-256 of the package's manifest.
    n_rows_by_part : dict of int
        Rows by part: raw, valid, quarantined, train, test.
    quality_score : float
        Quality score of the rows, 0 to 100.
    warnings : tuple of str
        Rules with a finding.
    metrics : tuple of SummaryMetric
    confidence : float
        Confidence level of the intervals.
    is_onnx : bool
        Whether the serving form is ONNX.
    registration : str
        The version of the package and its stage, or the command that registers it.
    """

    problem: str
    model: str
    digest: str
    n_rows_by_part: dict[str, int]
    quality_score: float
    warnings: tuple[str, ...]
    metrics: tuple[SummaryMetric, ...]
    confidence: float
    is_onnx: bool
    registration: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        serving_form = "ONNX, verified against scikit-learn" if self.is_onnx else "scikit-learn"
        warnings = f", warnings: {', '.join(self.warnings)}" if self.warnings else ""
        lines = [
            "",
            (
                f"  {self.problem}: {pluralize(self.n_rows_by_part['raw'], 'row')},"
                f" quality {self.quality_score:.1f} of 100{warnings}"
            ),
            f"  {self.model}: package {self.digest[:12]} in {paths.CANDIDATE_PACKAGE}, served by {serving_form}",
            f"  registry: {self.registration}",
            "",
            f"  on {pluralize(self.n_rows_by_part['test'], 'test row')} ({percent(self.confidence)} intervals)",
            *(f"    {_metric_line(metric)}" for metric in self.metrics),
            "",
            "  next (in a shell with `. .venv/bin/activate`)",
            *(f"    {purpose + ':':<26}{command}" for purpose, command in _NEXT_COMMANDS),
        ]
        return "\n".join(lines) + "\n"


def _metric_line(metric: SummaryMetric) -> str:
    value = number(metric.value, missing="-")
    interval = "" if metric.reason is None else f"  [no interval: {metric.reason}]"
    if metric.low is not None and metric.high is not None:
        interval = f"  [{metric.low:.4f}, {metric.high:.4f}]"
    baselines = ", ".join(f"{name} {score:.4f}" for name, score in metric.baselines.items() if score is not None)
    return f"{metric.name:<12}{value}{interval}{f'   ({baselines})' if baselines else ''}"


def summarize_project(root: Path) -> ProjectSummary:
    """Summarize the outputs of the finished graph at `root`.

    Raises
    ------
    DataError
        When the graph has not finished.
    ConfigError
        When params.yaml is invalid.
    """
    if not (root / paths.EVALUATION_REPORT).exists():
        raise DataError(f"{root / paths.EVALUATION_REPORT}: does not exist yet; run `make run` or `dvc repro`")
    config = load_params(root / paths.PARAMS)
    evaluation = read_json(root / paths.EVALUATION_REPORT)
    validation = read_json(root / paths.VALIDATION_REPORT)
    manifest = (root / paths.CANDIDATE_PACKAGE / "manifest.json").read_bytes()
    return ProjectSummary(
        problem=config.data.name,
        model=config.model.name,
        digest=evaluation["package"],
        n_rows_by_part={**_validated_row_counts(validation), **evaluation["rows"]},
        quality_score=validation["quality_score"],
        warnings=tuple(
            dict.fromkeys(finding["rule"] for finding in validation["findings"] if finding["level"] != "ok")
        ),
        metrics=tuple(_summary_metrics(evaluation)),
        confidence=evaluation["confidence_level"],
        is_onnx=json.loads(manifest)["onnx"]["used"],
        registration=_registration(root, config),
    )


def _registration(root: Path, config: Config) -> str:
    try:
        version = registered_candidate(open_model_registry(config.tracking, root), root, config)
    except (DependencyUnavailable, NotAllowed) as error:
        return f"unknown, because {error}"
    if version is None:
        return f"the package is no version of {config.name} yet; run `mlops models register`"
    return f"{config.name} version {version.version} ({version.semver}), stage {version.stage}"


def _validated_row_counts(validation: dict[str, Any]) -> dict[str, int]:
    return {"raw": validation["rows"], "quarantined": validation["quarantined"]}


def _summary_metrics(evaluation: dict[str, Any]) -> list[SummaryMetric]:
    metrics = evaluation["metrics"]
    names = [name for name in _HEADLINE_METRICS if name in metrics] or list(metrics)[:4]
    return [
        SummaryMetric(
            name=name,
            value=metrics[name]["value"],
            low=metrics[name]["low"],
            high=metrics[name]["high"],
            reason=metrics[name]["reason"],
            baselines={baseline: result["metrics"].get(name) for baseline, result in evaluation["baselines"].items()},
        )
        for name in names
    ]

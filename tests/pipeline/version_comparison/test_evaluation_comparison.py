"""Two versions are compared on the same test rows, else by the metrics of their registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import files
from pipeline.package import load_package
from pipeline.project import paths
from pipeline.state import ModelVersion
from pipeline.version_comparison import EvaluationComparison, VersionDetails, compare_evaluations, evaluation_summary
from tests.fixtures.small_packages import parts, write_small_package
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package

CONFIG = settings("data=personality")
MODELS = {"good": (), "near": ("model.estimator.C=0.9",), "bad": ("model.estimator.C=0.0001",)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with train and test rows, and packages that were trained beside them."""
    root = tmp_path_factory.mktemp("compared")
    rows = parts("personality", 1500)
    for path, frame in ((paths.TRAIN_ROWS, rows.train), (paths.TEST_ROWS, rows.test)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        files.write_parquet(root / path, frame)
    lineage = {"data_sha256": {"test": files.sha256_file(root / paths.TEST_ROWS)}}
    for name, overrides in MODELS.items():
        write_small_package(
            root / name, "personality", "model=logistic_regression", *overrides, n_rows=1500, lineage=lineage
        )
    return root


def compare(root: Path, old: str, new: str, *, folder: Path | None = None, **tags: Any) -> EvaluationComparison:
    packages = [load_package(root / name) for name in (old, new)]
    details = [VersionDetails(version(package, number, **tags), package) for number, package in enumerate(packages, 1)]
    return compare_evaluations(details[0], details[1], CONFIG, root=root if folder is None else folder)


def version(package: Package, number: int, **tags: Any) -> ModelVersion:
    return ModelVersion("m", number, package.digest, "1.0.0", "None", "", tags, 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("good", "near", "no significant difference"), ("good", "bad", "worse"), ("bad", "good", "better")],
)
def test_the_test_rows_decide_what_is_better_or_worse(root: Path, old: str, new: str, expected: str) -> None:
    comparison = compare(root, old, new)
    assert comparison.verdict == expected
    verdicts = {metric.name: metric.verdict for metric in comparison.metrics}
    assert {verdicts[name] for name in ("accuracy", "f1_macro")} <= {expected, "no significant difference"}
    assert comparison.as_dict()["verdict"] == expected
    assert f"Both on the same {comparison.n_rows} test rows" in comparison.rows_sentence


def test_the_summary_names_the_deciding_metric_and_the_others(root: Path) -> None:
    summary = compare(root, "good", "bad").summary
    assert summary.startswith("Version 2 is significantly worse than version 1: log loss +")
    assert "also worse: Brier score" in summary


def test_slices_and_curves_are_of_both_versions(root: Path) -> None:
    comparison = compare(root, "good", "bad")
    assert {change.verdict for change in comparison.slices} >= {"worse"}
    assert [set(curves) >= {"roc", "pr", "calibration"} for curves in comparison.curves] == [True, True]


def evaluation(log_loss: float) -> dict[str, Any]:
    estimate = {"value": log_loss, "low": log_loss - 0.01, "high": log_loss + 0.01, "reason": None}
    report = {
        "rows": {"test": 300, "train": 1200},
        "confidence_level": 0.95,
        "selection_metric": "log_loss",
        "metrics": {"ece": estimate, "log_loss": {**estimate, "unit": "nats"}, "of_a_plugin": estimate},
    }
    return evaluation_summary(report)


def test_with_other_test_rows_the_recorded_metrics_are_compared_unpaired(root: Path, tmp_path: Path) -> None:
    comparison = compare(root, "good", "bad", folder=tmp_path, evaluation=evaluation(0.2))
    assert (comparison.n_rows, [metric.name for metric in comparison.metrics]) == (None, ["log_loss", "ece"])
    assert [metric.is_paired for metric in comparison.metrics] == [False, False]
    assert comparison.metrics[1].difference.low is None
    assert comparison.rows_sentence.startswith("Not on the same test rows: ")
    assert comparison.verdict == "no significant difference"
    assert "(on different test rows)" in comparison.summary


def test_without_rows_and_recorded_metrics_nothing_is_compared(root: Path, tmp_path: Path) -> None:
    comparison = compare(root, "good", "bad", folder=tmp_path)
    assert (comparison.verdict, comparison.metrics, comparison.slices) == ("not compared", (), ())
    assert comparison.summary.startswith("Version 2 was not compared with version 1: ")

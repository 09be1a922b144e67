"""Evaluate the package on the test rows, and record the run in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files, package
from pipeline.config.stage_entry import stage
from pipeline.evaluation import evaluate_package, model_card
from pipeline.project import paths
from pipeline.tracking import publish_run

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("evaluate")
def main(config: Config) -> float:
    """Write metrics, curves, report and model card; return the selection metric."""
    train, test = files.read_parquet(paths.TRAIN_ROWS), files.read_parquet(paths.TEST_ROWS)
    candidate = package.load_package(paths.CANDIDATE_PACKAGE)
    report = evaluate_package(
        candidate,
        train,
        test,
        config=config.evaluation,
        fairness=config.fairness,
        selection_metric=config.training.selection_metric,
        seed=config.seed,
    )
    report.write_tables(paths.PLOTS)
    files.write_json(paths.EVALUATION_REPORT, report.as_dict())
    files.write_text(paths.MODEL_CARD, model_card(report, config))
    files.write_json(paths.TEST_METRICS, report.dvc_metrics())
    print(f"[evaluate] {report.summary}", flush=True)
    if config.tracking.publish_graph_runs:
        print(f"[evaluate] {publish_run(Path(), config)}")
    return report.selection_value


if __name__ == "__main__":
    main()

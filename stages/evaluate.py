"""The package is judged on rows that it never saw, and the run is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files, package
from pipeline.config.stage_entry import stage
from pipeline.evaluation import evaluate, model_card
from pipeline.project import paths
from pipeline.tracking import publish_run

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("evaluate")
def main(config: Config) -> float:
    """Write figures, curves, the whole report and the model card; return the objective."""
    train, test = files.read_parquet(paths.TRAIN_ROWS), files.read_parquet(paths.TEST_ROWS)
    judged = package.load_package(paths.CANDIDATE_PACKAGE)
    report = evaluate(
        judged, train, test, config=config.evaluation, objective=config.training.selection_metric, seed=config.seed
    )
    report.write_tables(paths.PLOTS)
    files.write_json(paths.EVALUATION_REPORT, report.as_dict())
    files.write_text(paths.MODEL_CARD, model_card(report, config))
    files.write_json(paths.TEST_METRICS, report.dvc_metrics())
    print(f"[evaluate] {report.summary}", flush=True)
    print(f"[evaluate] {publish_run(Path(), config)}")
    return report.objective_value


if __name__ == "__main__":
    main()

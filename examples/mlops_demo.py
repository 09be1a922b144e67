"""Walk through the project from Python: check rows, train and stage a model, predict, record outcomes, detect drift.

dvc repro                        # once, so that a model is in Production
python examples/mlops_demo.py
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sklearn.linear_model import LogisticRegression

from pipeline import MLOpsPipeline, ModelServer, files
from pipeline.config.config_loader import load_params
from pipeline.errors import MlopsError
from pipeline.project import paths

if TYPE_CHECKING:
    import pandas as pd

N_ROWS = 200


def main() -> None:
    config = load_params()
    target = config.data.target.column
    train, test = files.read_parquet(paths.TRAIN_ROWS), files.read_parquet(paths.TEST_ROWS)
    rows = test.head(N_ROWS)
    mlops = MLOpsPipeline(experiment_name="demo", model_name=config.name)

    mlops.validate_and_track_data(train, test, target=target)
    train_and_stage_candidate(mlops, train, test, target)
    features = [name for name, column in config.data.columns.items() if column.role == "feature"]
    n_right, n_stored = predict_and_record_outcomes(config.name, rows[features], rows[target])
    report = mlops.monitor_production_model(prediction_data=rows[features], reference_data=train[features])
    print(f"drift: {report['drift']['verdict']}")
    project_report = mlops.generate_mlops_report()
    print(f"{len(project_report.versions)} versions; serving {project_report.deployed_versions}")
    print(f"audit trail intact: {project_report.is_audit_trail_intact}")
    print(f"{n_right} of {len(rows)} right; {n_stored} outcomes stored for the monitor")


def train_and_stage_candidate(mlops: MLOpsPipeline, train: pd.DataFrame, test: pd.DataFrame, target: str) -> None:
    """Train a model, register it, and move it to Staging if its gates pass."""
    candidate = mlops.train_and_track_model(
        LogisticRegression(max_iter=1000),
        train.drop(columns=target),
        train[target],
        test.drop(columns=target),
        test[target],
        model_params={"max_iter": 1000},
        register_model=True,
    )
    version = candidate.version
    if version is not None:
        print(f"version {version.version} was registered; the verdict of its gates is {candidate.gates.verdict}")
        try:
            mlops.promote_model(version.version, "Staging", reason="the demo")
        except MlopsError as error:
            print(f"it stays where it is: {error}")


def predict_and_record_outcomes(model: str, rows: pd.DataFrame, truths: pd.Series) -> tuple[int, int]:
    """Return how many predictions are right, and how many outcomes were stored."""
    with ModelServer(model) as server:
        predictions = server.predict_batch(rows)
        outcomes = [
            {"prediction_id": prediction["prediction_id"], "outcome": str(truth)}
            for prediction, truth in zip(predictions, truths, strict=True)
        ]
        n_stored = server.feedback(outcomes)
    n_right = sum(prediction["prediction"] == truth for prediction, truth in zip(predictions, truths, strict=True))
    return n_right, n_stored


if __name__ == "__main__":
    try:
        main()
    except MlopsError as error:
        sys.exit(f"mlops_demo: {error}")

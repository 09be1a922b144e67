"""Walk through the project from Python: check rows, see what is registered, predict, tell outcomes.

dvc repro                        # once, so that a model is in Production
python examples/mlops_demo.py
"""

from __future__ import annotations

import sys

import pandas as pd

from pipeline import DataValidator, ModelRegistry, ModelServer
from pipeline.config.load import load_params
from pipeline.errors import MlopsError

N_ROWS = 200


def main() -> None:
    config = load_params()
    target = config.data.target.column
    rows = pd.read_parquet("data/test.parquet").head(N_ROWS)

    validator = DataValidator()
    validator.validate_dataset(rows, "recent rows")
    print(f"data quality of {len(rows)} rows: {validator.get_data_quality_score('recent rows'):.3f}")

    for version in ModelRegistry().list_models(config.name):
        print(f"{version.model} version {version.version}: {version.stage}")

    features = [name for name, column in config.data.columns.items() if column.role == "feature"]
    with ModelServer(config.name) as server:
        answers = server.predict_batch(rows[features])
        outcomes = [
            {"prediction_id": answer["prediction_id"], "outcome": str(truth)}
            for answer, truth in zip(answers, rows[target], strict=True)
        ]
        n_stored = server.feedback(outcomes)
    n_right = sum(answer["prediction"] == truth for answer, truth in zip(answers, rows[target], strict=True))
    print(f"{n_right} of {len(rows)} right; {n_stored} outcomes stored for the monitor")


if __name__ == "__main__":
    try:
        main()
    except MlopsError as error:
        sys.exit(f"mlops_demo: {error}")

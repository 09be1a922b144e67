"""Where the graph keeps what it makes, below the project's folder; `dvc.yaml` says the same."""

from pathlib import Path

__all__ = [
    "CANDIDATE_PACKAGE",
    "CONF",
    "CONFIG_ORIGIN",
    "EVALUATION_REPORT",
    "EXTERNAL",
    "MODEL_CARD",
    "MONITORING_HTML",
    "MONITORING_REPORT",
    "PARAMS",
    "PLOTS",
    "PROJECT_LOCK",
    "QUARANTINED_ROWS",
    "RAW_ROWS",
    "REGISTRATION_REPORT",
    "SOURCE_FINGERPRINT",
    "SPLIT_REPORT",
    "TEST_METRICS",
    "TEST_ROWS",
    "TRAIN_METRICS",
    "TRAIN_ROWS",
    "VALIDATION_HTML",
    "VALIDATION_REPORT",
    "VALID_ROWS",
]

CONF = Path("conf")
PARAMS = Path("params.yaml")
EXTERNAL = Path("data/external")
PROJECT_LOCK = Path(".dvc/tmp/mlops.lock")

RAW_ROWS = Path("data/raw.parquet")
SOURCE_FINGERPRINT = Path("data/source.json")
VALID_ROWS = Path("data/valid.parquet")
QUARANTINED_ROWS = Path("data/quarantine.parquet")
TRAIN_ROWS = Path("data/train.parquet")
TEST_ROWS = Path("data/test.parquet")

CANDIDATE_PACKAGE = Path("models/candidate")

CONFIG_ORIGIN = Path("reports/config_origin.json")
VALIDATION_REPORT = Path("reports/validation.json")
VALIDATION_HTML = Path("reports/validation.html")
SPLIT_REPORT = Path("reports/split.json")
EVALUATION_REPORT = Path("reports/evaluation.json")
MODEL_CARD = Path("reports/model_card.md")
REGISTRATION_REPORT = Path("reports/registration.json")
MONITORING_REPORT = Path("reports/monitoring.json")
MONITORING_HTML = Path("reports/monitoring.html")

TRAIN_METRICS = Path("metrics/train.json")
TEST_METRICS = Path("metrics/test.json")
PLOTS = Path("plots")

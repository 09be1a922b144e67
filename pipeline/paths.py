"""Where the graph keeps what it makes, below the project's folder; `dvc.yaml` says the same."""

from pathlib import Path

__all__ = [
    "CANDIDATE",
    "CARD",
    "CONF",
    "EVALUATION",
    "EXTERNAL",
    "LOCK",
    "MONITORING",
    "MONITORING_PAGE",
    "ORIGIN",
    "PARAMS",
    "PLOTS",
    "QUARANTINE",
    "RAW",
    "REGISTRATION",
    "SOURCE",
    "SPLIT",
    "TEST",
    "TEST_METRICS",
    "TRAIN",
    "TRAIN_METRICS",
    "VALID",
    "VALIDATION",
    "VALIDATION_PAGE",
]

CONF = Path("conf")
PARAMS = Path("params.yaml")
EXTERNAL = Path("data/external")
LOCK = Path(".dvc/tmp/mlops.lock")

RAW = Path("data/raw.parquet")
SOURCE = Path("data/source.json")
VALID = Path("data/valid.parquet")
QUARANTINE = Path("data/quarantine.parquet")
TRAIN = Path("data/train.parquet")
TEST = Path("data/test.parquet")

CANDIDATE = Path("models/candidate")

ORIGIN = Path("reports/config_origin.json")
VALIDATION = Path("reports/validation.json")
VALIDATION_PAGE = Path("reports/validation.html")
SPLIT = Path("reports/split.json")
EVALUATION = Path("reports/evaluation.json")
CARD = Path("reports/model_card.md")
REGISTRATION = Path("reports/registration.json")
MONITORING = Path("reports/monitoring.json")
MONITORING_PAGE = Path("reports/monitoring.html")

TRAIN_METRICS = Path("metrics/train.json")
TEST_METRICS = Path("metrics/test.json")
PLOTS = Path("plots")

"""Paths of a project, relative to its root: outputs of the graph (as in `dvc.yaml`), settings and `state/`."""

from pathlib import Path

__all__ = [
    "CANDIDATE_PACKAGE",
    "CHANGE_REPORT",
    "CONF",
    "CONFIG_ORIGIN",
    "DEMO",
    "ENGINE",
    "ENGINE_RECORD",
    "EVALUATION_REPORT",
    "EXTERNAL",
    "GRAPH",
    "LOG_HASH_KEY",
    "MODEL_CARD",
    "MONITORING_HTML",
    "MONITORING_REPORT",
    "MONITOR_LOCK",
    "PACKAGES",
    "PARAMS",
    "PLOTS",
    "PROJECT_LOCK",
    "QUARANTINED_ROWS",
    "RAW_ROWS",
    "REGISTRATION_REPORT",
    "REPORT_INDEX",
    "RETRAIN_REPORTS",
    "RETRAIN_WORKTREES",
    "RUN_OUTBOX",
    "SELECTION_LEDGER",
    "SOURCE_FINGERPRINT",
    "SPLIT_REPORT",
    "STATE",
    "STATE_BACKUPS",
    "STATE_DATABASE",
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
GRAPH = Path("dvc.yaml")
# Only a project on an installed engine has them; the checkout of the engine has the code itself.
ENGINE = Path("engine")
ENGINE_RECORD = ENGINE / "engine.json"
PROJECT_LOCK = Path(".dvc/tmp/mlops.lock")
RETRAIN_WORKTREES = Path(".mlops/retrain")

STATE = Path("state")
STATE_DATABASE = STATE / "state.db"
STATE_BACKUPS = STATE / "backups"
PACKAGES = STATE / "packages"
RUN_OUTBOX = STATE / "outbox"
LOG_HASH_KEY = STATE / "log.key"
MONITOR_LOCK = STATE / "monitor.lock"
DEMO = STATE / "demo"

SELECTION_LEDGER = Path("outputs/selection")

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
RETRAIN_REPORTS = Path("reports/retrain")
CHANGE_REPORT = Path("reports/change_report.html")
REPORT_INDEX = Path("reports/index.html")
MONITORING_REPORT = Path("reports/monitoring.json")
MONITORING_HTML = Path("reports/monitoring.html")

TRAIN_METRICS = Path("metrics/train.json")
TEST_METRICS = Path("metrics/test.json")
PLOTS = Path("plots")

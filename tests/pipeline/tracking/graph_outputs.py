"""The outputs of a small finished graph, written by the functions of the graph in one process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import files, package
from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data import sources
from pipeline.data.splitters import split_train_test
from pipeline.evaluation import evaluate_package, model_card
from pipeline.modeling.training import train_classifier
from pipeline.package.training_lineage import training_lineage
from pipeline.project import paths
from pipeline.schema import Schema

if TYPE_CHECKING:
    from pipeline.config.root_config import Config

CONF = Path(__file__).parents[3] / "conf"
SMALL = (
    "data.source.rows=600",
    "training.folds=2",
    "evaluation.importance_repeats=1",
)
SMALL += ("model.estimator.max_iter=10", "evaluation.metrics=[log_loss,roc_auc,accuracy]")


def logged_model_folder(client: Any, run_id: str) -> str:
    """Return the address of the files of the only model of a run."""
    (output,) = client.get_run(run_id).outputs.model_outputs
    return str(client.get_logged_model(output.model_id).artifact_location)


def settings(*overrides: str) -> Config:
    return build_config(compose([*SMALL, *overrides], conf=CONF).values, where="conf/")


def make_rows(root: Path, *overrides: str) -> Config:
    """Write params.yaml, the rows, and the part of dvc.lock about the split."""
    composed = compose([*SMALL, *overrides], conf=CONF)
    config = build_config(composed.values, where="conf/")
    files.write_text(root / paths.PARAMS, composed.text)
    fetched = sources.fetch_rows(config.data, root=root)
    parts = split_train_test(fetched.frame, Schema.from_config(config.data), config.data.split, seed=config.seed)
    files.write_json(root / paths.SOURCE_FINGERPRINT, fetched.fingerprint)
    for path, frame in (
        (paths.VALID_ROWS, fetched.frame),
        (paths.TRAIN_ROWS, parts.train),
        (paths.TEST_ROWS, parts.test),
    ):
        files.write_parquet(root / path, frame)
    used_settings = {"seed": config.seed, **{f"data.{key}": value for key, value in composed.values["data"].items()}}
    ingest = {key: value for key, value in used_settings.items() if key not in ("seed", "data.split")}
    split_settings = {
        key: used_settings[key] for key in ("seed", "data.name", "data.columns", "data.target", "data.split")
    }
    stages = {
        name: {"cmd": name, "params": {str(paths.PARAMS): params}}
        for name, params in (("ingest", ingest), ("split", split_settings))
    }
    lock = {"schema": "2.0", "stages": stages}
    files.write_text(root / "dvc.lock", yaml.safe_dump(lock))
    return config


def make_results(root: Path, *overrides: str) -> Config:
    """Write the outputs of train and evaluate."""
    config = make_rows(root, *overrides)
    schema = Schema.from_config(config.data)
    rows, test = files.read_parquet(root / paths.TRAIN_ROWS), files.read_parquet(root / paths.TEST_ROWS)
    result = train_classifier(
        rows, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    hashes = {
        name: files.sha256_file(root / path) for name, path in (("train", paths.TRAIN_ROWS), ("test", paths.TEST_ROWS))
    }
    package.write_package(
        root / paths.CANDIDATE_PACKAGE,
        result.classifier,
        train=rows,
        test=test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage=training_lineage(config, data=hashes, source=files.read_json(root / paths.SOURCE_FINGERPRINT)),
        training=config.training,
        model=config.model.name,
    )
    files.write_json(root / paths.TRAIN_METRICS, result.as_dict())
    candidate = package.load_package(root / paths.CANDIDATE_PACKAGE)
    report = evaluate_package(
        candidate,
        rows,
        test,
        config=config.evaluation,
        fairness=config.fairness,
        selection_metric=config.training.selection_metric,
        seed=config.seed,
    )
    report.write_tables(root / paths.PLOTS)
    files.write_json(root / paths.EVALUATION_REPORT, report.as_dict())
    files.write_text(root / paths.MODEL_CARD, model_card(report, config))
    files.write_json(root / paths.TEST_METRICS, report.dvc_metrics())
    return config

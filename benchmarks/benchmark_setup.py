"""Prepare benchmarks: a trained package, a project with it in Production, a log of its predictions."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.modeling.classifier import Classifier
    from pipeline.package import Package
    from pipeline.state import State

__all__ = [
    "DAY_US",
    "MODELS",
    "PackagedModel",
    "TrainedModel",
    "log_rows",
    "make_package",
    "promote_package",
    "train_package",
]

ROOT = Path(__file__).parents[1]
MODELS = {
    "logistic regression": ("model=logistic_regression",),
    "boosting": ("model=hist_gradient_boosting",),
    "forest of 300": ("model=random_forest", "model.estimator.n_estimators=300"),
}
DAY_US = 86_400_000_000
_BATCH_ROWS = 50_000
_N_TRAINING_ROWS = 4_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The contents of a written package: model name, classifier, train rows and test rows."""

    name: str
    classifier: Classifier
    train: pd.DataFrame
    test: pd.DataFrame
    features: list[str]
    target: str


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A package of the default problem, its model name and its train rows."""

    name: str
    package: Package
    train: pd.DataFrame


def train_package(folder: Path, overrides: tuple[str, ...]) -> TrainedModel:
    """Train a model of the default problem on a few thousand rows and write its package."""
    from pipeline import package
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config
    from pipeline.data import sources
    from pipeline.data.splitters import split_train_test
    from pipeline.modeling.training import train_classifier
    from pipeline.schema import Schema

    settings = (*overrides, "training.folds=2", f"data.source.rows={_N_TRAINING_ROWS}")
    config = build_config(compose(settings, conf=ROOT / "conf").values, where="conf")
    schema = Schema.from_config(config.data)
    parts = split_train_test(
        sources.fetch_rows(config.data, root=ROOT).frame, schema, config.data.split, seed=config.seed
    )
    result = train_classifier(
        parts.train, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    package.write_package(
        folder,
        result.classifier,
        train=parts.train,
        test=parts.test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={},
        training=config.training,
        model=config.model.name,
    )
    features, target = list(schema.feature_names), config.data.target.column
    return TrainedModel(config.name, result.classifier, parts.train, parts.test, features, target)


def make_package(folder: Path) -> PackagedModel:
    """Train a logistic regression and add its package to the store in `folder`/state/packages."""
    from pipeline.package import PackageStore

    trained = train_package(folder / "candidate", MODELS["logistic regression"])
    return PackagedModel(trained.name, PackageStore(folder / "state/packages").add(folder / "candidate"), trained.train)


def promote_package(state: State, model: PackagedModel, root: Path) -> None:
    """Promote a package to Production."""
    from pipeline.gates import Gate, GateReport
    from pipeline.package import PackageStore
    from pipeline.registry import stage_transitions

    passed = GateReport("0" * 64, None, (Gate("benchmark", "pass", "none"),)).as_dict()
    store = PackageStore(root / "state/packages")
    registration = stage_transitions.register_package(
        state, store, model.name, candidate=model.package, tags={}, gates=passed, description=""
    )
    stage_transitions.promote_version(state, model.name, registration.version.version, stage="Production")


def log_rows(
    state: State,
    model: PackagedModel,
    n: int,
    *,
    until: int,
    days: float,
    outcome_every: int = 2,
    has_distinct_texts: bool = False,
) -> float:
    """Log rows evenly over the days before `until`; return the seconds it took.

    Each `outcome_every`-th row has its outcome. With `has_distinct_texts` an unknown key with the number of the row
    makes its texts differ from all others, so that nothing is parsed once for several rows.
    """
    from pipeline import state as store

    frame, package, started = model.train, model.package, time.perf_counter()
    names = list(package.schema.feature_names)
    features = [json.dumps(record) for record in json.loads(frame[names].to_json(orient="records"))]
    shares = [dict(zip(package.classes, row, strict=True)) for row in package.predict_proba(frame).tolist()]
    predicted, outcomes = package.predict(frame).tolist(), frame[package.schema.target.column].astype(str).tolist()
    probabilities = [json.dumps(row) for row in shares]
    predicted_at = np.linspace(until - days * DAY_US, until, n, endpoint=False).astype(np.int64).tolist()
    writer = store.PredictionWriter(state)
    for start in range(0, n, _BATCH_ROWS):
        rows = []
        for i in range(start, min(start + _BATCH_ROWS, n)):
            j = i % len(frame)
            mark = f', "row": {i}}}' if has_distinct_texts else "}"
            rows.append(
                store.PredictionRow(
                    f"p{i}", predicted_at[i], model.name, 1, package.digest, 1, features[j][:-1] + mark, predicted[j],
                    probabilities[j][:-1] + mark, shares[j][predicted[j]], "production", "champion", "api", 900 + j,
                    1.0, None, None,
                )
            )  # fmt: skip
        writer.write(rows)
        with state.writing() as connection:
            with_outcome = range(start, min(start + _BATCH_ROWS, n), outcome_every)
            store.add_outcomes(
                connection, [(f"p{i}", predicted_at[i], outcomes[i % len(frame)], "bench") for i in with_outcome]
            )
    writer.close()
    return time.perf_counter() - started

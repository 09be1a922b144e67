"""Logs of known rows in a registered project, for the tests beside this file."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.log.rollup_updates import HOUR_US
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.state import PredictionRow, PredictionWriter, add_outcomes, current_deployment, open_state
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.monitoring_config import PredictionSource
    from pipeline.package import Package

MODEL_NAME = "personality_model"
NOW = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z


def make_monitor(root: Path) -> ModelMonitor:
    shutil.copy(ROOT / "params.yaml", root / "params.yaml")
    return ModelMonitor(MODEL_NAME, root=root, clock=lambda: NOW)


def production_package(root: Path) -> tuple[Package, int]:
    state = open_state(root)
    with state.reading() as connection:
        deployment = current_deployment(connection, MODEL_NAME)
    state.close()
    package = PackageStore(root / paths.PACKAGES).load(deployment.digests["Production"])
    return package, deployment.versions["Production"]


def live_rows(n: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of the generator of the training data, with their outcomes."""
    frame = parts("personality", 4_000).train
    return frame.sample(n, random_state=seed, replace=True).reset_index(drop=True)


def write_log(
    root: Path,
    frame: pd.DataFrame,
    *,
    start: int,
    stop: int,
    prefix: str = "p",
    weights: Sequence[float] | None = None,
    source: PredictionSource = "api",
    latencies_us: Sequence[int] | None = None,
) -> list[str]:
    """Log rows evenly over [start, stop), not in the order of their moments; return their identifiers."""
    package, version = production_package(root)
    probabilities = package.predict_proba(frame)
    predicted = package.predict(frame)
    moments = np.linspace(start, stop, len(frame), endpoint=False).astype(np.int64)
    names = list(package.schema.feature_names)
    ids = [f"{prefix}{i}" for i in range(len(frame))]
    features = json.loads(frame[names].to_json(orient="records"))
    rows = []
    for i in np.random.default_rng(0).permutation(len(frame)).tolist():
        by_class = dict(zip(package.classes, probabilities[i].tolist(), strict=True))
        rows.append(
            PredictionRow(
                prediction_id=ids[i],
                predicted_at=int(moments[i]),
                model=MODEL_NAME,
                version=version,
                digest=package.digest,
                generation=1,
                features=json.dumps(features[i]),
                prediction=str(predicted[i]),
                probabilities=json.dumps(by_class),
                confidence=by_class[str(predicted[i])],
                served_by="production",
                variant="champion",
                source=source,
                latency_us=900 if latencies_us is None else latencies_us[i],
                weight=1.0 if weights is None else weights[i],
                idempotency_key=None,
                subject=None,
            )
        )
    state = open_state(root)
    writer = PredictionWriter(state)
    writer.write(rows)
    writer.close()
    state.close()
    return ids


def write_outcomes(root: Path, outcomes: list[tuple[str, str]]) -> None:
    state = open_state(root)
    with state.writing() as connection:
        add_outcomes(connection, [(prediction_id, NOW, label, "test") for prediction_id, label in outcomes])
    state.close()


def numeric_feature(package: Package) -> str:
    return next(column.name for column in package.schema.features if column.is_numeric)


def hours_us(n: float) -> int:
    return int(n * HOUR_US)


def plain_counts(counts: Any) -> dict[str, list[int]]:
    return {name: vector.tolist() for name, vector in {**counts.features, **counts.outputs}.items()}

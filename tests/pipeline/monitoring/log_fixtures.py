"""Logs of known rows in a registered project, for the tests beside this file."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.log.rollup_updates import HOUR_US
from pipeline.package import PackageStore
from pipeline.state import PredictionRow, PredictionWriter, add_outcomes, current_deployment, open_state
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.package import Package

MODEL_NAME = "personality_model"
NOW = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z


def make_monitor(root: Path) -> ModelMonitor:
    shutil.copy(ROOT / "params.yaml", root / "params.yaml")
    return ModelMonitor(MODEL_NAME, root=root, clock=lambda: NOW)


def production_package(root: Path) -> tuple[Package, int]:
    state = open_state(root)
    with state.reading() as connection:
        found = current_deployment(connection, MODEL_NAME)
    state.close()
    return PackageStore(root / "state/packages").load(found.digests["Production"]), found.versions["Production"]


def live_rows(n: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of the generator that the package was trained on, with their true class."""
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
) -> list[str]:
    """Log rows evenly over [start, stop), in an order that is not that of their moments; return their identifiers."""
    package, version = production_package(root)
    probabilities = package.predict_proba(frame)
    said = package.predict(frame)
    at = np.linspace(start, stop, len(frame), endpoint=False).astype(np.int64)
    names = list(package.schema.feature_names)
    ids = [f"{prefix}{i}" for i in range(len(frame))]
    plain = json.loads(frame[names].to_json(orient="records"))
    rows = []
    for i in np.random.default_rng(0).permutation(len(frame)).tolist():
        shares = dict(zip(package.classes, probabilities[i].tolist(), strict=True))
        rows.append(
            PredictionRow(
                ids[i],
                int(at[i]),
                MODEL_NAME,
                version,
                package.digest,
                1,
                json.dumps(plain[i]),
                str(said[i]),
                json.dumps(shares),
                shares[str(said[i])],
                "production",
                "api",
                900,
                1.0 if weights is None else weights[i],
                None,
                None,
            )
        )
    state = open_state(root)
    journal = PredictionWriter(state)
    journal.write(rows)
    journal.close()
    state.close()
    return ids


def write_outcomes(root: Path, outcomes: list[tuple[str, str]]) -> None:
    state = open_state(root)
    with state.writing() as connection:
        add_outcomes(connection, [(one, NOW, word, "test") for one, word in outcomes])
    state.close()


def hours_us(n: float) -> int:
    return int(n * HOUR_US)


def plain_counts(counts: Any) -> dict[str, list[int]]:
    return {name: one.tolist() for name, one in {**counts.features, **counts.outputs}.items()}

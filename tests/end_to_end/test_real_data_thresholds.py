"""The default model reaches its metrics on real rows; only a leak exceeds them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data import sources
from pipeline.metrics import compute_metrics
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.modeling.training import TrainResult, train_classifier
from pipeline.schema import Schema

if TYPE_CHECKING:
    from pipeline.config.root_config import Config

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/data"
LEAK = 0.971  # the best published accuracy on these rows is 0.9691

pytestmark = [
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real files are not at {REAL}; they may not be shipped"),
]


@cache
def config() -> Config:
    return build_config(compose((), conf=ROOT / "conf").values, where="conf")


@cache
def schema() -> Schema:
    return Schema.from_config(config().data)


def real(name: str) -> pd.DataFrame:
    """Return a real file as the graph would hold it; the published id column is left out."""
    rows = pd.read_csv(REAL / name)
    for column in schema().columns:
        rows[column.name] = rows[column.name].astype("string" if column.kind == "category" else column.dtype)
    target = schema().target.column
    rows[target] = rows[target].astype("string")
    return rows[[column.name for column in schema().columns] + [target]]


def trained(rows: pd.DataFrame) -> TrainResult:
    settings = config()
    assert (settings.training.folds, settings.seed) == (5, 42)
    return train_classifier(
        rows, schema(), settings.features, model=settings.model, training=settings.training, seed=settings.seed
    )


def test_the_default_model_reaches_the_bars_on_s5e7() -> None:
    metrics = trained(real("s5e7_train.csv")).mean_metrics
    assert metrics["log_loss"] <= 0.1305
    assert metrics["roc_auc"] >= 0.9695
    assert 0.9680 <= metrics["accuracy"] <= 0.9705 < LEAK


def test_the_default_model_reaches_the_bar_on_the_original_rows() -> None:
    metrics = trained(real("personality_2900.csv")).mean_metrics
    assert metrics["log_loss"] <= 0.2185
    assert metrics["accuracy"] < LEAK


def test_baselines_on_s5e7_equal_the_published_ones() -> None:
    baselines = trained(real("s5e7_train.csv")).baseline_metrics
    assert baselines["majority"]["accuracy"] == pytest.approx(0.7395, abs=0.0002)
    assert baselines["depth_2_tree"]["accuracy"] == pytest.approx(0.968, abs=0.001)


def test_a_model_of_synthetic_rows_is_valid_on_real_ones() -> None:
    rows = sources.fetch_rows(config().data, root=ROOT).frame
    assert len(rows) == 18_524
    classifier, evaluated = trained(rows).classifier, real("s5e7_train.csv")
    codes, target = encode_target(evaluated, schema().target), schema().target
    scored = make_scored_rows(target, codes, classifier.predict_proba(evaluated), threshold=classifier.threshold)
    metrics = compute_metrics(scored, ["log_loss", "accuracy"])
    assert metrics["log_loss"] <= 0.1315
    assert 0.9680 <= metrics["accuracy"] < LEAK

"""Every experiment file of conf/ trains a model on a small data set."""

from __future__ import annotations

import math

import pytest

from pipeline.config.composition import group_options
from pipeline.config.config_loader import build_config
from pipeline.data import sources
from pipeline.modeling.training import train_classifier
from pipeline.schema import Schema
from tests.fixtures.composed_config import CONF, composed


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("experiment", group_options(CONF)["experiment"])
def test_an_experiment_trains_on_a_small_data_set(experiment: str) -> None:
    overrides = (f"experiment={experiment}", "data.source.rows=300", "training.folds=2", "training.n_jobs=1")
    config = build_config(composed(*overrides).values, where="conf/")
    rows = sources.fetch_rows(config.data, root=CONF.parent).frame
    result = train_classifier(
        rows,
        Schema.from_config(config.data),
        config.features,
        model=config.model,
        training=config.training,
        seed=config.seed,
    )
    log_loss = result.mean_metrics["log_loss"]
    assert log_loss is not None
    assert 0 < log_loss < math.log(2)

"""Packages of small problems, fitted as the train stage does it, for the tests beside this file."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pipeline import package
from pipeline.data import sources
from pipeline.data.splitters import split_train_test
from pipeline.modeling.training import train_classifier
from pipeline.schema import Schema
from tests.pipeline.toy_dataset import ROOT, settings

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.data.splitters import TrainTestSplit
    from pipeline.modeling.training import TrainResult
    from pipeline.package import Manifest

FAST = ("training.folds=2", "training.golden_rows=8")


@cache
def parts(data: str, n_rows: int = 0) -> TrainTestSplit:
    """Return the train and test rows of a problem of conf/data/."""
    more = (f"data.source.rows={n_rows}",) if n_rows else ()
    config = settings(f"data={data}", *more)
    frame = sources.fetch_rows(config.data, root=ROOT).frame
    return split_train_test(frame, Schema.from_config(config.data), config.data.split, seed=config.seed)


@cache
def train_small_model(data: str, *overrides: str, n_rows: int = 0) -> tuple[Config, TrainResult]:
    """Return the settings and what training gives on the train rows."""
    config = settings(f"data={data}", *FAST, *overrides)
    schema = Schema.from_config(config.data)
    rows = parts(data, n_rows).train
    return config, train_classifier(rows, schema, config.features, config.model, config.training, seed=config.seed)


def write_small_package(path: Path, data: str, *overrides: str, n_rows: int = 0) -> Manifest:
    """Write the package of a problem to `path`."""
    config, result = train_small_model(data, *overrides, n_rows=n_rows)
    rows = parts(data, n_rows)
    return package.write_package(
        path,
        result.classifier,
        train=rows.train,
        parity_rows=rows.test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={"data": data, "params_sha256": "0" * 64},
        training=config.training,
        model=config.model.name,
    )


def unseen_rows(data: str, n_rows: int = 0) -> pd.DataFrame:
    """Return the features of rows that were not learned from."""
    rows = parts(data, n_rows).test
    return rows.drop(columns=settings(f"data={data}").data.target.column)

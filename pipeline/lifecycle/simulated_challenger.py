"""Train the challenger of a scenario: one that predicts worse, or one that refuses rows that others accept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline import files
from pipeline.errors import ConfigError, DataError
from pipeline.lifecycle.in_memory_training import TrainTestFrames, train_candidate
from pipeline.project import paths
from pipeline.schema import Schema

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.scenario_config import ChallengerConfig
    from pipeline.config.root_config import Config
    from pipeline.package import Package
    from pipeline.schema import Column

__all__ = ["train_challenger"]


def train_challenger(challenger: ChallengerConfig, config: Config, root: Path, *, folder: Path) -> Package:
    """Train the challenger on the rows of the last graph run, with its settings, and write its package to `folder`.

    Raises
    ------
    DataError
        When the graph has not run.
    ConfigError
        When the problem has no number whose range can be narrowed.
    """
    if not (root / paths.TRAIN_ROWS).exists():
        raise DataError(f"{paths.TRAIN_ROWS}: does not exist yet; a challenger is trained on it: run `dvc repro` first")
    train, test = files.read_parquet(root / paths.TRAIN_ROWS), files.read_parquet(root / paths.TEST_ROWS)
    rows = TrainTestFrames(train, test, Schema.from_config(config.data))
    if challenger.kind == "worse":
        rows = replace(
            rows, train=_with_flipped_classes(train, rows.schema, challenger.flipped_share, seed=config.seed)
        )
    else:
        rows = _with_narrow_range(rows, challenger.refused_share)
    package, _ = train_candidate(rows, config.model, config, folder=folder)
    return package


def _with_flipped_classes(train: pd.DataFrame, schema: Schema, share: float, *, seed: int) -> pd.DataFrame:
    """Return the rows, a share of them with another class."""
    target = schema.target
    rng = np.random.default_rng(seed)
    codes = np.array([target.classes.index(label) for label in train[target.column]])
    shifts = rng.integers(1, len(target.classes), len(train)) * (rng.random(len(train)) < share)
    flipped = np.array(target.classes)[(codes + shifts) % len(target.classes)]
    return train.assign(**{target.column: train[target.column].astype(object).where(shifts == 0, flipped)}).astype(
        {target.column: train[target.column].dtype}
    )


def _with_narrow_range(rows: TrainTestFrames, refused_share: float) -> TrainTestFrames:
    """Return the rows of a narrower declared range of the first number, with that declaration."""
    number = next((column for column in rows.schema.features if column.is_numeric), None)
    if number is None:
        raise ConfigError(f"challenger: {rows.schema.name} declares no number, so no range can be narrower")
    limit: float = float(rows.train[number.name].dropna().astype("float64").quantile(1 - refused_share))
    limit = int(np.ceil(limit)) - 1 if number.kind == "integer" else limit
    columns = tuple(
        _with_maximum(column, limit) if column.name == number.name else column for column in rows.schema.columns
    )
    train, test = (
        part[~(part[number.name] > limit).to_numpy(dtype=np.bool_, na_value=False)].reset_index(drop=True)
        for part in (rows.train, rows.test)
    )
    return TrainTestFrames(train, test, replace(rows.schema, columns=columns))


def _with_maximum(column: Column, limit: float) -> Column:
    checks = {**column.checks, "less_than_or_equal_to": {"max_value": limit}}
    return replace(column, maximum=limit, checks=checks)

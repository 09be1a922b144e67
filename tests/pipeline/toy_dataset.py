"""Small problems with their settings, for tests that need rows to learn from."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.schema import Column, Schema, Target

if TYPE_CHECKING:
    from pipeline.config.root_config import Config

ROOT = Path(__file__).parents[2]
FAST = ("model=logistic_regression", "training.folds=3", "evaluation.resamples=200", "evaluation.importance_repeats=3")


@cache
def settings(*overrides: str) -> Config:
    """Return the shipped settings with overrides."""
    return build_config(compose(overrides, conf=ROOT / "conf").values, where="conf")


def schema(n_classes: int = 2) -> Schema:
    classes = ("no", "yes") if n_classes == 2 else tuple(f"kind {code}" for code in range(n_classes))
    columns = (
        Column("size", "float", "Float64", nullable=True, title="Size of it"),
        Column("count", "integer", "Int64", nullable=True),
        Column("colour", "category", "category", nullable=True, categories=("blue", "red")),
        Column("is_new", "boolean", "boolean", nullable=True),
        Column("seen_at", "datetime", "datetime64[us]", nullable=True),
        Column("note", "text", "string", nullable=True),
        Column("row", "integer", "Int64", role="id"),
    )
    return Schema("small", columns, Target("answer", classes, "yes" if n_classes == 2 else None))


def rows(n: int = 300, n_classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Return rows of `schema`: `size` tells the class with some noise, a tenth of each column is missing."""
    rng = np.random.default_rng(seed)
    code = np.arange(n) % n_classes
    frame = pd.DataFrame(
        {
            "size": pd.array(code + rng.normal(0, 0.4, n), dtype="Float64"),
            "count": pd.array(rng.integers(0, 12, n), dtype="Int64"),
            "colour": pd.array(np.where(rng.random(n) < 0.3 + 0.4 * (code == 1), "red", "blue"), dtype="string"),
            "is_new": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "seen_at": pd.Timestamp("2026-01-01").as_unit("us") + pd.to_timedelta(rng.integers(0, 90, n), unit="D"),
            "note": pd.array([f"note {at}" for at in range(n)], dtype="string"),
            "row": pd.array(np.arange(n), dtype="Int64"),
        }
    )
    for name in ("size", "count", "colour", "is_new", "seen_at"):
        frame.loc[rng.random(n) < 0.1, name] = None
    frame["seen_at"] = frame["seen_at"].astype("datetime64[us]")
    frame["answer"] = pd.array(np.array(schema(n_classes).target.classes)[code], dtype="string")
    return frame

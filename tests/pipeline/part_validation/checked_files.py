"""A declaration with every kind of column and rule, rows of it, and their validation in parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.config.groups.data_config import DataConfig
from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.part_validation import ValidationJob, plan_validation
from pipeline.parts import run_parts
from pipeline.storage import StoragePath
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.config.root_config import Config

COLUMNS: dict[str, dict[str, Any]] = {
    "real": {"dtype": "Float64", "nullable": True, "checks": {"in_range": {"min_value": -4, "max_value": 4}}},
    "whole": {"dtype": "Int64", "unique": True},
    "many": {"dtype": "Int64", "nullable": True},
    "salary": {"dtype": "Int64", "nullable": True, "store": "drop", "checks": {"le": 90}},
    "word": {"dtype": "category", "nullable": True, "checks": {"isin": ["a", "b"]}},
    "open": {"dtype": "category", "checks": {"isin": ["a"]}, "unseen": "other"},
    "day": {"dtype": "datetime64[us]", "nullable": True},
    "text": {"dtype": "string", "role": "ignore", "nullable": True, "checks": {"str_matches": "[a-r]"}},
}


def declare(*, unlabeled: str = "refuse", columns: Mapping[str, Any] = COLUMNS, **keys: Any) -> Config:
    """Return settings with the columns; the Arrow rules check tables of any size."""
    config = settings()
    data = config.data.model_dump(mode="json")
    target = {"column": "outcome", "classes": ["no", "yes"], "positive": "yes", "unlabeled": unlabeled}
    data.update({"name": "made", "columns": dict(columns), "target": target}, **keys)
    validation = config.validation.model_copy(update={"pandera_max_rows": 1, "max_examples_per_rule": 7})
    return config.model_copy(
        update={"data": DataConfig.model_validate_json(json.dumps(data)), "validation": validation}
    )


def make_rows(n_rows: int) -> pd.DataFrame:
    """Return rows with every fault; each value of `many` is in one stretch of rows, so that parts have few of them."""
    rng = np.random.default_rng(0)
    at = np.arange(n_rows)
    frame = pd.DataFrame(
        {
            "real": np.where(at % 1_000 == 0, np.inf, rng.normal(size=n_rows)),
            "whole": np.where(at % 997 == 0, at // 2, at),
            "many": at * 5_000 // n_rows,
            "salary": rng.integers(0, 100, n_rows),
            "word": rng.choice(["a", "b", "c"], n_rows, p=[0.5, 0.499, 0.001]),
            "open": rng.choice(["a", "x", "y"], n_rows, p=[0.9, 0.06, 0.04]),
            "day": pd.Timestamp("2026-01-01").as_unit("us") + pd.to_timedelta(rng.integers(0, 90, n_rows), unit="D"),
            "text": rng.choice(["red", "", "zzz"], n_rows),
            "outcome": rng.choice(["no", "yes"], n_rows),
        }
    ).convert_dtypes()
    frame.loc[rng.random(n_rows) < 0.05, ["real", "salary", "word", "day"]] = None
    copies = frame.iloc[: n_rows // 20]
    return pd.concat([frame.iloc[: n_rows - len(copies)], copies], ignore_index=True)


def check_in_parts(
    config: Config, sources: Sequence[Path | str], folder: Path | str, *, part_rows: int = 1_000_000, workers: int = 1
) -> Mapping[str, Any]:
    """Validate files in parts, and return the result in the manifest; the report is in `folder`."""
    engine = LocalEngineConfig(kind="local", workers=workers, retries=0, part_rows=part_rows)
    output = StoragePath.parse(folder)
    with open_engine(engine) as opened:
        plan = plan_validation([StoragePath.parse(path) for path in sources], config, opened, part_rows=part_rows)
        result: Mapping[str, Any] = run_parts(ValidationJob(), plan, output, opened)["result"]
    return result

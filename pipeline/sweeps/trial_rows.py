"""Load the train rows of a trial, after a check that the rows on disk match its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.composition import flatten_settings
from pipeline.config.groups.data_config import DataConfig
from pipeline.data.splitters import split_train_test
from pipeline.errors import ConfigError, DataError
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.tracking.revision import parse_dvc_lock

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.root_config import Config

__all__ = ["load_train_rows", "train_rows_identity"]

_DVC_LOCK = Path("dvc.lock")
_DATA_STAGES = ("ingest", "split")


def load_train_rows(config: Config) -> pd.DataFrame:
    """Return the train part that `dvc repro` would write with these settings.

    With the seed and the split of the last `dvc repro`, it is data/train.parquet. With another seed or
    split, the valid rows are split again in memory, by the function of the graph.

    Raises
    ------
    ConfigError
        When the rows on disk have another source or declaration.
    DataError
        When there are no rows.
    """
    if _matches_last_split(config):
        return files.read_parquet(paths.TRAIN_ROWS)
    schema = Schema.from_config(config.data)
    return split_train_test(files.read_parquet(paths.VALID_ROWS), schema, config.data.split, seed=config.seed).train


def train_rows_identity(config: Config) -> dict[str, Any]:
    """Return the identity of the train rows, without reading all of them."""
    if _matches_last_split(config):
        return {"train": files.sha256_file(paths.TRAIN_ROWS)}
    return {"valid": files.sha256_file(paths.VALID_ROWS), "seed": config.seed, "split": config.data.split.model_dump()}


def _matches_last_split(config: Config) -> bool:
    locked = _locked_settings()
    known = _parse_data_config(locked["data"])
    if known is None or known.model_copy(update={"split": config.data.split}) != config.data:
        raise ConfigError(
            f"data: the trial declares {config.data.name!r} and the rows on disk have other settings"
            f" ({_changed_data_settings(known, config.data)}); a trial uses the rows of the last `dvc repro`. First run"
            " `dvc exp run -S ...` with these settings, or edit conf/ and run `dvc repro`"
        )
    return bool(locked["seed"] == config.seed and known.split == config.data.split)


def _changed_data_settings(known: DataConfig | None, declared: DataConfig) -> str:
    """Return the first keys that differ, with the values of the rows on disk."""
    if known is None:
        return "of an unknown format"
    before, after = (
        dict(flatten_settings(config.model_dump(mode="json", exclude={"split"}))) for config in (known, declared)
    )
    keys = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    return ", ".join(f"data.{key}={before.get(key)!r}" for key in keys[:3])


def _locked_settings() -> dict[str, Any]:
    """Return the data section and the seed of the rows on disk, from dvc.lock."""
    try:
        stages = parse_dvc_lock(_DVC_LOCK.read_text(encoding="utf-8"))
        params = {
            key: value for name in _DATA_STAGES for key, value in stages[name]["params"][str(paths.PARAMS)].items()
        }
        data = {key.removeprefix("data."): value for key, value in params.items() if key.startswith("data.")}
        return {"data": data, "seed": params["seed"]}
    except FileNotFoundError as error:
        raise DataError(f"{_DVC_LOCK}: no such file; run `dvc repro` first") from error
    except KeyError as error:
        raise DataError(f"{_DVC_LOCK}: has no settings of the split ({error!r}); run `dvc repro` first") from error


def _parse_data_config(values: Any) -> DataConfig | None:
    try:
        return DataConfig.model_validate_json(json.dumps(values))
    except ValueError:
        return None

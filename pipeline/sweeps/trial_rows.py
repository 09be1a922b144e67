"""Read the rows that a trial learns from, and refuse a trial whose declared data is not what lies on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.composition import flatten
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
    """Return the train part as `dvc repro` would make it with these settings.

    With the seed and the split of the last `dvc repro` it is read from data/train.parquet; with another
    seed or split the valid rows are divided anew in memory, by the same function as in the graph.

    Raises
    ------
    ConfigError
        When rows of another source or declaration lie on disk.
    DataError
        When there are none.
    """
    if _matches_last_split(config):
        return files.read_parquet(paths.TRAIN_ROWS)
    schema = Schema.from_config(config.data)
    return split_train_test(files.read_parquet(paths.VALID_ROWS), schema, config.data.split, seed=config.seed).train


def train_rows_identity(config: Config) -> dict[str, Any]:
    """Return what tells these train rows from others, without reading all of them."""
    if _matches_last_split(config):
        return {"train": files.sha256_file(paths.TRAIN_ROWS)}
    return {"valid": files.sha256_file(paths.VALID_ROWS), "seed": config.seed, "split": config.data.split.model_dump()}


def _matches_last_split(config: Config) -> bool:
    made = _locked_settings()
    known = _parse_data_config(made["data"])
    if known is None or known.model_copy(update={"split": config.data.split}) != config.data:
        raise ConfigError(
            f"data: the trial declares {config.data.name!r} and the rows on disk were made otherwise"
            f" ({_changed_data_settings(known, config.data)}); a trial learns from the rows of the last `dvc repro`: run that with"
            " these settings first (`dvc exp run -S ...`, or edit conf/ and `dvc repro`)"
        )
    return bool(made["seed"] == config.seed and known.split == config.data.split)


def _changed_data_settings(known: DataConfig | None, declared: DataConfig) -> str:
    """Return the first keys that differ, with what the rows on disk were made with."""
    if known is None:
        return "by settings that are not understood today"
    before, after = (dict(flatten(one.model_dump(mode="json", exclude={"split"}))) for one in (known, declared))
    keys = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    return ", ".join(f"data.{key}={before.get(key)!r}" for key in keys[:3])


def _locked_settings() -> dict[str, Any]:
    """Return the data section and the seed with which the rows on disk were made, from dvc.lock."""
    try:
        stages = parse_dvc_lock(_DVC_LOCK.read_text(encoding="utf-8"))
        known = {
            key: value for name in _DATA_STAGES for key, value in stages[name]["params"][str(paths.PARAMS)].items()
        }
        data = {key.removeprefix("data."): value for key, value in known.items() if key.startswith("data.")}
        return {"data": data, "seed": known["seed"]}
    except FileNotFoundError as error:
        raise DataError(f"{_DVC_LOCK}: not there, so no rows are; run `dvc repro` first") from error
    except KeyError as error:
        raise DataError(f"{_DVC_LOCK}: does not say how rows were split ({error!r}); run `dvc repro` first") from error


def _parse_data_config(values: Any) -> DataConfig | None:
    try:
        return DataConfig.model_validate_json(json.dumps(values))
    except ValueError:
        return None

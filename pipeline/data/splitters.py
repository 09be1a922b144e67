"""Split rows into train and test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.errors import ConfigError, DataError, ExtensionFailed
from pipeline.extensions import call_extension
from pipeline.lookup import LookupTable
from pipeline.schema.feature_hash import HashSplit, feature_hashes
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.data_config import SplitConfig
    from pipeline.schema import Schema

    Mask = NDArray[np.bool_]

__all__ = ["SPLITTERS", "TrainTestSplit", "check_split", "define_splitter", "hash_split", "split_train_test"]


@dataclass(frozen=True, slots=True)
class TrainTestSplit:
    """The two parts of a split, disjoint and complete; each preserves the order of the rows."""

    train: pd.DataFrame
    test: pd.DataFrame


class Splitter(Protocol):
    """Returns which rows go to the test part."""

    def __call__(self, frame: pd.DataFrame, schema: Schema, config: SplitConfig, *, seed: int) -> Mask: ...


SPLITTERS: LookupTable[Splitter] = LookupTable("data.split.kind")


def split_train_test(frame: pd.DataFrame, schema: Schema, config: SplitConfig, *, seed: int) -> TrainTestSplit:
    """Return `frame` in two parts.

    Parameters
    ----------
    frame : DataFrame, shape (n_rows, n_columns)
        Rows with the target.
    schema : Schema
    config : SplitConfig
        Which member of `SPLITTERS`, the share of the test part, and the column for `by_time`.
    seed : int
        Decides which rows; `by_time` does not need it.

    Raises
    ------
    ConfigError
        When the splitter is unknown, or lacks its column.
    DataError
        When the target or another column that the splitter needs is missing, or when a part, or a class of it, would be
        empty.
    """
    check_split(config)
    _require_columns(frame, [schema.target.column])
    if frame.empty:
        raise DataError("split: the data has no rows; both parts need at least one")
    is_test = _checked_mask(SPLITTERS[config.kind](frame, schema, config, seed=seed), config.kind, len(frame))
    parts = {"train": frame[~is_test], "test": frame[is_test]}
    for name, part in parts.items():
        if part.empty:
            raise DataError(f"split: {len(frame)} rows at test_share {config.test_share} leave the {name} part empty")
    return TrainTestSplit(parts["train"].reset_index(drop=True), parts["test"].reset_index(drop=True))


def define_splitter(name: str) -> Callable[[Splitter], Splitter]:
    """Return a decorator that adds a splitter of an extension for `data.split.kind`.

    The function gets rows, schema, the settings `data.split` and `seed` by name. It returns which rows are test rows,
    as booleans of shape (n_rows,).

    Raises
    ------
    ConfigError
        When a splitter has the name already.
    """
    if name in SPLITTERS:
        raise ConfigError(f"splitter {name}: exists already; choose another name")

    def add(function: Splitter) -> Splitter:
        def split(frame: pd.DataFrame, schema: Schema, config: SplitConfig, *, seed: int) -> Mask:
            return call_extension(f"splitter {name}", function, frame, schema, config, seed=seed)

        SPLITTERS.add(name)(split)
        return function

    return add


def _checked_mask(is_test: Any, name: str, n_rows: int) -> Mask:
    mask = np.asarray(is_test)
    if mask.shape != (n_rows,) or mask.dtype != np.bool_:
        raise ExtensionFailed(
            f"splitter {name}: returned {mask.dtype} of shape {mask.shape}; expected booleans of shape ({n_rows},)"
        )
    return mask


def check_split(config: SplitConfig) -> None:
    """Refuse an unknown splitter, and `by_time` without its column.

    Raises
    ------
    UnknownOption
        When `kind` is not a member of `SPLITTERS`.
    ConfigError
        When `by_time` has no column to sort by.
    """
    if SPLITTERS[config.kind] is split_by_time and config.column is None:
        raise ConfigError("data.split.column: is null; by_time needs the column to sort by")


def _require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if absent := [name for name in names if name not in frame.columns]:
        raise DataError(
            f"split: the rows lack {pluralize(len(absent), 'column')}: {', '.join(absent)};"
            " correct data.columns and data.target, or the file: `mlops data check` compares them"
        )


def hash_split(config: SplitConfig, *, seed: int) -> HashSplit | None:
    """Return the rule by which `by_hash` splits; None for another splitter."""
    return HashSplit(seed, config.test_share) if config.kind == "by_hash" else None


@SPLITTERS.add("by_hash")
def split_by_hash(frame: pd.DataFrame, schema: Schema, config: SplitConfig, *, seed: int) -> Mask:
    """Give each row its part by the hash of its features, so that it has the same part in every snapshot.

    Rows with equal features stay together. A class without rows in a part gets there the rows of one hash: those
    whose position is nearest to the border between the parts. These rows move at most when the class gains rows.
    """
    _require_columns(frame, schema.feature_names)
    labels = _target_labels(frame, schema)
    hashes, rule = feature_hashes(frame, schema), HashSplit(seed, config.test_share)
    positions = rule.positions(hashes)
    is_test = rule.is_test(hashes)
    for name in schema.target.classes:
        is_class = labels == name
        if (is_test & is_class).any() and (~is_test & is_class).any():
            continue
        is_empty_test = not (is_test & is_class).any()
        nearest = positions[is_class].min() if is_empty_test else positions[is_class].max()
        is_test[positions == nearest] = is_empty_test
    _require_classes_in_both_parts(labels, is_test, schema.target.classes)
    return is_test


def _target_labels(frame: pd.DataFrame, schema: Schema) -> NDArray[np.object_]:
    """Return the class of each row, where every class has two rows and every row a class."""
    labels = frame[schema.target.column].fillna("").to_numpy(object)
    counts = {name: int((labels == name).sum()) for name in schema.target.classes}
    if too_small := [f"{name} ({count})" for name, count in counts.items() if count < 2]:
        raise DataError(
            f"split: classes with fewer than 2 rows cannot be in both parts: {', '.join(too_small)};"
            " add rows of them, or leave them out of target.classes and set target to `unlabeled: set_aside`"
        )
    n_unlabeled = len(frame) - sum(counts.values())
    if n_unlabeled:
        raise DataError(f"split: {n_unlabeled} rows have no class; set target to `unlabeled: set_aside`")
    return np.asarray(labels)


def _require_classes_in_both_parts(labels: NDArray[np.object_], is_test: Mask, classes: Sequence[str]) -> None:
    parts = {"train": set(labels[~is_test]), "test": set(labels[is_test])}
    absent = [f"{name} ({part})" for part, present in parts.items() for name in classes if name not in present]
    if absent:
        raise DataError(
            f"split: by_hash keeps rows with equal features together, which leaves classes without rows in a part:"
            f" {', '.join(absent)}; use data.split.kind=stratified, which separates equal rows"
        )


@SPLITTERS.add("stratified")
def split_stratified(frame: pd.DataFrame, schema: Schema, config: SplitConfig, *, seed: int) -> Mask:
    """Give each class its share of the test part; every class has at least one row in both parts."""
    generator = np.random.default_rng(seed)
    labels = _target_labels(frame, schema)
    rows_by_class = {name: np.flatnonzero(labels == name) for name in schema.target.classes}
    counts = np.array([len(rows) for rows in rows_by_class.values()])
    is_test = np.zeros(len(frame), bool)
    for rows, size in zip(rows_by_class.values(), _test_sizes(counts, config.test_share), strict=True):
        is_test[generator.permutation(rows)[:size]] = True
    return is_test


def _test_sizes(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Return how many rows of each class go to the test part: the largest remainders round up."""
    exact = counts * share
    sizes = np.floor(exact).astype(np.int64)
    n_rounded_up = int(np.rint(exact.sum())) - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:n_rounded_up]] += 1
    clipped: NDArray[np.int64] = np.clip(sizes, 1, counts - 1)
    return clipped


@SPLITTERS.add("random")
def split_random(
    frame: pd.DataFrame,
    schema: Schema,  # noqa: ARG001 - the signature of a Splitter
    config: SplitConfig,
    *,
    seed: int,
) -> Mask:
    """Give each row the same probability of the test part."""
    is_test = np.zeros(len(frame), bool)
    order = np.random.default_rng(seed).permutation(len(frame))
    is_test[order[: int(np.rint(len(frame) * config.test_share))]] = True
    return is_test


@SPLITTERS.add("by_time")
def split_by_time(
    frame: pd.DataFrame,
    schema: Schema,  # noqa: ARG001 - the signature of a Splitter
    config: SplitConfig,
    *,
    seed: int,  # noqa: ARG001 - the signature of a Splitter
) -> Mask:
    """Put the latest rows into the test part; rows of one moment stay together."""
    assert config.column is not None  # noqa: S101 - check_split refuses None
    _require_columns(frame, [config.column])
    values = frame[config.column]
    if values.isna().any():
        raise DataError(f"split: {int(values.isna().sum())} rows have no {config.column}; by_time needs it in each row")
    in_order = values.sort_values(kind="stable", ignore_index=True)
    first = min(int(np.rint(len(frame) * (1 - config.test_share))), len(frame) - 1)
    is_test: Mask = (values >= in_order.iloc[first]).to_numpy(bool)
    return is_test

"""Compare the train part with the test part: sizes, classes, rows in both, drift, and whether a model tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_drift import compare_distributions
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.findings import ValidationFinding, level_for_share
from pipeline.validation.row_hash import row_hashes
from pipeline.validation.validation_rules import drift_findings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.arrow_rows import ArrowRows
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.dataset_stats import DatasetStats

__all__ = ["SplitReport", "compare_split"]

_MAX_ROWS = 20_000
_MIN_LEAF = 50
_TREE_DEPTH = 4
_MAX_ABS_VALUE = 3e38  # a tree takes no infinity


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How the parts of a split compare.

    `overlap` counts test rows that are also in the train part, in every column but ids. `adversarial_auc` is
    how well a shallow tree, judged out of fold, tells which part a row is from: 0.5 is not at all; None where
    the parts are too small to ask.
    """

    n_train: int
    n_test: int
    class_shares: dict[str, dict[str, float]]
    n_overlap: int
    drift: tuple[DriftTestResult, ...]
    adversarial_auc: float | None
    findings: tuple[ValidationFinding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "sizes": {
                "train": self.n_train,
                "test": self.n_test,
                "test_share": _round_significant(self.n_test / self.n_rows),
            },
            "class_balance": self.class_shares,
            "duplicates_across_split": {
                "rows": self.n_overlap,
                "share": _round_significant(self.n_overlap / max(self.n_test, 1)),
            },
            "drift": [one.as_dict() for one in self.drift],
            "adversarial_auc": self.adversarial_auc,
            "is_valid": all(finding.level in ("ok", "warning") for finding in self.findings),
            "findings": [finding.as_dict() for finding in self.findings],
        }

    @property
    def n_rows(self) -> int:
        """Rows of both parts."""
        return max(self.n_train + self.n_test, 1)


def compare_split(
    train: pd.DataFrame, test: pd.DataFrame, schema: Schema, config: ValidationConfig, *, seed: int
) -> SplitReport:
    """Return how the two parts of a split compare.

    Parameters
    ----------
    train, test : DataFrame
        Rows with the declared columns and the target.
    schema : Schema
    config : ValidationConfig
    seed : int
        Seed of the tree that tries to tell the parts apart.
    """
    rows = open_rows(train, schema), open_rows(test, schema)
    tallies = collect_stats(rows[0], schema), collect_stats(rows[1], schema)
    overlap = _count_overlap(rows, schema)
    drift = compare_distributions(tallies[0], tallies[1], schema, config.drift)
    share = overlap / max(len(test), 1)
    message = f"{overlap:,} of {len(test):,} test rows are in the train part too"
    cause = "Duplicates in the source, or few columns with few values, where equal rows are natural."
    level = level_for_share(share, config.rules["split_overlap"])
    findings = (
        ValidationFinding("split_overlap", None, level, share, overlap, len(test), message, cause),
        *drift_findings(drift, "split_drift", len(test), config),
    )
    shares = {name: _class_shares(tally, schema) for name, tally in zip(("train", "test"), tallies, strict=True)}
    auc = _adversarial_auc(rows, schema, seed)
    return SplitReport(len(train), len(test), shares, overlap, drift, auc, findings)


def _round_significant(value: float) -> float:
    return float(f"{value:.6g}")


def _class_shares(tally: DatasetStats, schema: Schema) -> dict[str, float]:
    total = max(int(tally.class_counts.sum()), 1)
    return {
        name: _round_significant(n / total)
        for name, n in zip(schema.target.classes, tally.class_counts.tolist(), strict=True)
    }


def _count_overlap(rows: tuple[ArrowRows, ArrowRows], schema: Schema) -> int:
    aside = {one.name for one in schema.columns if one.role in ("id", "ignore")}
    names = [name for name in rows[0].kinds if name in rows[1].kinds and name not in aside]
    train, test = (np.concatenate([row_hashes(batch, names) for batch in one.batches(names)]) for one in rows)
    return int(np.isin(test, train).sum())


def _adversarial_auc(rows: tuple[ArrowRows, ArrowRows], schema: Schema, seed: int) -> float | None:
    names = [name for name in schema.feature_names if all(name in one.kinds for one in rows)]
    parts = [_feature_matrix(one, names) for one in rows]
    if min(len(part) for part in parts) < 2 * _MIN_LEAF:
        return None
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(seed)
    X = np.concatenate([part[rng.permutation(len(part))[:_MAX_ROWS]] for part in parts])
    y = np.repeat([0, 1], [min(len(part), _MAX_ROWS) for part in parts])
    fold = rng.permutation(len(y)) % 2
    scores = np.empty(len(y))
    for held in (0, 1):
        tree = DecisionTreeClassifier(max_depth=_TREE_DEPTH, min_samples_leaf=_MIN_LEAF, random_state=seed)
        tree.fit(X[fold != held], y[fold != held])
        scores[fold == held] = tree.predict_proba(X[fold == held])[:, 1]
    return _round_significant(float(np.mean([_roc_auc(scores[fold == held], y[fold == held]) for held in (0, 1)])))


def _feature_matrix(rows: ArrowRows, names: list[str]) -> NDArray[np.float32]:
    batches = [np.column_stack([_to_floats(batch.column(name)) for name in names]) for batch in rows.batches(names)]
    return np.concatenate(batches).clip(-_MAX_ABS_VALUE, _MAX_ABS_VALUE).astype(np.float32)


def _to_floats(array: pa.Array) -> NDArray[np.float64]:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        words = np.array([*array.dictionary.to_pylist(), ""], dtype=object)
        hashed = (pd.util.hash_array(words, categorize=False) % 1_000_003).astype(np.float64)
        hashed[-1] = np.nan
        return np.asarray(hashed[np.asarray(array.indices.fill_null(len(words) - 1))])
    if pa.types.is_timestamp(array.type) or pa.types.is_boolean(array.type):
        array = array.cast(pa.int64())
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _roc_auc(scores: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """Return the area under the ROC curve by ranks (Mann and Whitney 1947), ties shared."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n_positive = int(y.sum())
    n_negative = len(y) - n_positive
    return float((ranks[y == 1].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))

"""Compare train rows with test rows: sizes, classes, overlap, drift and adversarial AUC."""

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
    """The comparison of the two parts of a split.

    `n_overlap` counts test rows that are also train rows, in every column but ids. `adversarial_auc` is the
    out-of-fold AUC of a shallow tree that predicts the part of a row: 0.5 where the parts do not differ, None
    where they are too small.
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
            "drift": [result.as_dict() for result in self.drift],
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
    """Return the comparison of the two parts of a split.

    Parameters
    ----------
    train, test : DataFrame
        Rows with the declared columns and the target.
    schema : Schema
    config : ValidationConfig
    seed : int
        Seed of the tree that predicts the part of a row.
    """
    rows = open_rows(train, schema), open_rows(test, schema)
    stats = collect_stats(rows[0], schema), collect_stats(rows[1], schema)
    overlap = _count_overlap(rows, schema)
    drift = compare_distributions(stats[0], stats[1], schema, config.drift)
    share = overlap / max(len(test), 1)
    message = f"{overlap:,} of {len(test):,} test rows are also train rows"
    cause = "Duplicates in the source, or few columns with few values, so that rows are equal by chance."
    level = level_for_share(share, config.rules["split_overlap"])
    findings = (
        ValidationFinding(
            rule="split_overlap",
            column=None,
            level=level,
            share=share,
            n_failed=overlap,
            n_rows=len(test),
            message=message,
            cause=cause,
        ),
        *drift_findings(drift, "split_drift", len(test), config),
    )
    shares = {name: _class_shares(part, schema) for name, part in zip(("train", "test"), stats, strict=True)}
    auc = _adversarial_auc(rows, schema, seed)
    return SplitReport(len(train), len(test), shares, overlap, drift, auc, findings)


def _round_significant(value: float) -> float:
    return float(f"{value:.6g}")


def _class_shares(stats: DatasetStats, schema: Schema) -> dict[str, float]:
    total = max(int(stats.class_counts.sum()), 1)
    return {
        name: _round_significant(n / total)
        for name, n in zip(schema.target.classes, stats.class_counts.tolist(), strict=True)
    }


def _count_overlap(rows: tuple[ArrowRows, ArrowRows], schema: Schema) -> int:
    skipped = {column.name for column in schema.columns if column.role in ("id", "ignore", "weight")}
    names = [name for name in rows[0].kinds if name in rows[1].kinds and name not in skipped]
    train, test = (np.concatenate([row_hashes(batch, names) for batch in part.batches(names)]) for part in rows)
    return int(np.isin(test, train).sum())


def _adversarial_auc(rows: tuple[ArrowRows, ArrowRows], schema: Schema, seed: int) -> float | None:
    names = [name for name in schema.feature_names if all(name in part.kinds for part in rows)]
    parts = [_feature_matrix(part, names) for part in rows]
    if min(len(part) for part in parts) < 2 * _MIN_LEAF:
        return None
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(seed)
    X = np.concatenate([part[rng.permutation(len(part))[:_MAX_ROWS]] for part in parts])
    y = np.repeat([0, 1], [min(len(part), _MAX_ROWS) for part in parts])
    fold = rng.permutation(len(y)) % 2
    scores = np.empty(len(y))
    for test_fold in (0, 1):
        tree = DecisionTreeClassifier(max_depth=_TREE_DEPTH, min_samples_leaf=_MIN_LEAF, random_state=seed)
        tree.fit(X[fold != test_fold], y[fold != test_fold])
        scores[fold == test_fold] = tree.predict_proba(X[fold == test_fold])[:, 1]
    return _round_significant(
        float(np.mean([_roc_auc(scores[fold == test_fold], y[fold == test_fold]) for test_fold in (0, 1)]))
    )


def _feature_matrix(rows: ArrowRows, names: list[str]) -> NDArray[np.float32]:
    batches = [np.column_stack([_to_floats(batch.column(name)) for name in names]) for batch in rows.batches(names)]
    return np.concatenate(batches).clip(-_MAX_ABS_VALUE, _MAX_ABS_VALUE).astype(np.float32)


def _to_floats(array: pa.Array) -> NDArray[np.float64]:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        texts = np.array([*array.dictionary.to_pylist(), ""], dtype=object)
        hashed = (pd.util.hash_array(texts, categorize=False) % 1_000_003).astype(np.float64)
        hashed[-1] = np.nan
        return np.asarray(hashed[np.asarray(array.indices.fill_null(len(texts) - 1))])
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

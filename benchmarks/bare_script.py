"""What a person would write in one file instead of the graph: read, fit, score, and the same metrics.

`benchmarks/pipeline_run_time.py` runs it beside the graph; it reads the rows that the graph has drawn.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.tree import DecisionTreeClassifier

SEED = 42
N_RESAMPLES = 1000


def make_estimator() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=SEED,
    )


def read_rows() -> tuple[np.ndarray, np.ndarray]:
    rows = pd.read_parquet("data/raw.parquet")
    y = rows.iloc[:, -1].astype("category").cat.codes.to_numpy()
    X = rows.iloc[:, :-1].apply(lambda c: c.astype("category").cat.codes.where(c.notna()) if c.dtype == "str" else c)
    return X.to_numpy(dtype=float, na_value=np.nan), y


def main() -> None:
    X, y = read_rows()
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    baselines = [DummyClassifier(strategy="prior"), DecisionTreeClassifier(max_depth=2, random_state=SEED)]
    for model in (make_estimator(), *baselines):
        scores = cross_val_predict(model, np.nan_to_num(X_train, nan=-1), y_train, cv=folds, method="predict_proba")
        print(type(model).__name__, f"log loss {log_loss(y_train, scores):.4f}")
    fitted = make_estimator().fit(X_train, y_train)
    p = fitted.predict_proba(X_test)[:, 1]
    rng = np.random.default_rng(SEED)
    samples = rng.integers(0, len(y_test), size=(N_RESAMPLES, len(y_test)))
    for metric in (log_loss, roc_auc_score, brier_score_loss):
        values = [metric(y_test[rows], p[rows]) for rows in samples]
        print(metric.__name__, np.quantile(values, [0.025, 0.975]).round(4))
    print("accuracy", accuracy_score(y_test, p > 0.5))
    importance = permutation_importance(fitted, X_test, y_test, scoring="neg_log_loss", n_repeats=10, random_state=SEED)
    print("importance", importance.importances_mean.round(4))


if __name__ == "__main__":
    main()

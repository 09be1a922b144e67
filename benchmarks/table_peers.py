"""Fit a peer to each of five folds of a table, and write its probabilities; run by the interpreter of the peers.

Call it as `table_peers.py PEER FOLDER`: FOLDER holds rows.parquet (features as pandas reads them) and folds.npz.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_SECONDS_OF_AUTOGLUON = 60


def skrub_pipeline(_: pd.DataFrame) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from skrub import tabular_pipeline

    return tabular_pipeline(HistGradientBoostingClassifier(random_state=0))


def logistic_pipeline(rows: pd.DataFrame) -> Any:
    """Return one-hot words, scaled numbers with indicators of gaps, and a logistic regression."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = [name for name in rows if rows[name].dtype == object]
    numbers = [name for name in rows if name not in words]
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=2)
    return make_pipeline(
        make_column_transformer((scaled, numbers), (one_hot, words)), LogisticRegression(max_iter=1000)
    )


class AutoGluon:
    """AutoGluon-Tabular with the preset of medium quality, as an estimator."""

    def fit(self, rows: pd.DataFrame, y: np.ndarray) -> AutoGluon:
        from autogluon.tabular import TabularPredictor

        folder = tempfile.mkdtemp(prefix="autogluon-")
        self.predictor = TabularPredictor(label="__y__", eval_metric="log_loss", path=folder, verbosity=0)
        self.predictor.fit(rows.assign(__y__=y), presets="medium_quality", time_limit=_SECONDS_OF_AUTOGLUON, num_cpus=2)
        self.classes_ = np.array(self.predictor.class_labels)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return self.predictor.predict_proba(rows, as_multiclass=True)[list(self.classes_)].to_numpy()


PEERS = {"skrub": skrub_pipeline, "logistic": logistic_pipeline, "autogluon": lambda _: AutoGluon()}


def with_date_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Replace columns of dates by month, weekday and hour, for the one-hot columns."""
    made = rows.copy()
    for name in rows:
        if rows[name].dtype == object:
            parsed = pd.to_datetime(rows[name], errors="coerce", utc=True, format="mixed")
            if parsed.notna().sum() < 0.9 * rows[name].notna().sum():
                continue
        elif str(rows[name].dtype).startswith("datetime"):
            parsed = rows[name]
        else:
            continue
        made = made.drop(columns=name).assign(
            **{f"{name}_{part}": getattr(parsed.dt, part) for part in ("year", "month", "dayofweek", "hour")}
        )
    return made


def main(peer: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    rows, stored = pd.read_parquet(folder / "rows.parquet"), np.load(folder / "folds.npz")
    y, fold_of = stored["y"], stored["fold_of"]
    rows = rows.astype({name: object for name in rows if str(rows[name].dtype) in {"str", "string"}})
    if peer == "logistic":
        rows = with_date_parts(rows)
    probabilities = np.zeros((len(y), int(y.max()) + 1))
    started, cpu = time.perf_counter(), time.process_time()
    for fold in range(int(fold_of.max()) + 1):
        inside = fold_of == fold
        fitted = PEERS[peer](rows).fit(rows[~inside], y[~inside])
        found = fitted.predict_proba(rows[inside])
        probabilities[np.ix_(inside, [int(label) for label in fitted.classes_])] = found
    np.savez(folder / f"{peer}.npz", probabilities=probabilities)
    seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    (folder / f"{peer}.json").write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

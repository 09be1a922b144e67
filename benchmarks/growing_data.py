"""Verdicts of the champion gate when data grows by 30 % and a model is trained again with equal settings.

Run it with `python benchmarks/growing_data.py`; the target is at most one "inferior" in 20 retrains of by_hash.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline import files, package  # noqa: E402 - needs the path above
from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.config.groups.source_config import LabeledSource  # noqa: E402 - needs the path above
from pipeline.data.labeled_source import AT, WEIGHT  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from pipeline.data.splitters import hash_split, split_train_test  # noqa: E402 - needs the path above
from pipeline.gates import GateInputs, evaluate_gates  # noqa: E402 - needs the path above
from pipeline.modeling.training import train_classifier  # noqa: E402 - needs the path above
from pipeline.package.train_row_filter import build_train_row_filter  # noqa: E402 - needs the path above
from pipeline.schema import Schema  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.data.splitters import TrainTestSplit
    from pipeline.package import Package

__all__ = ["count_verdicts"]

GROWTH = 1.3
_SETTINGS = ("training.folds=2", "training.golden_rows=8", "promotion.baselines={majority:null,depth_2_tree:null}")
_SOUND = {"level": "ok", "leakage": []}
_SNAPSHOT = "data/external/labeled/growth-1.parquet"
_SNAPSHOT_DAYS, _HALF_LIFE_DAYS, _DAY_US = 28, 56.0, 86_400_000_000


def count_verdicts(
    n_retrains: int, n_rows: int, *overrides: str, ignore_train_rows: bool = False, is_labeled: bool = False
) -> Counter[str]:
    """Return how often each verdict of the champion gate was given.

    Parameters
    ----------
    n_retrains : int
        Pairs of champion and candidate, each with other rows and another seed.
    n_rows : int
        Rows of the champion's snapshot; the candidate's has 30 % more.
    *overrides : str
        Settings that differ from conf/.
    ignore_train_rows : bool
        Whether rows that the champion learned from stay in the comparison.
    is_labeled : bool
        Whether the candidate learns the new rows from a snapshot of labeled rows, which count more than older ones.
    """
    return Counter(
        _retrain(seed, n_rows, overrides, ignore_train_rows=ignore_train_rows, is_labeled=is_labeled)
        for seed in range(n_retrains)
    )


def _retrain(seed: int, n_rows: int, overrides: tuple[str, ...], *, ignore_train_rows: bool, is_labeled: bool) -> str:
    n_grown = round(GROWTH * n_rows)
    words = (*_SETTINGS, f"seed={seed}", f"data.source.rows={n_grown}", f"data.source.seed={seed}", *overrides)
    config = build_config(compose(words, conf=ROOT / "conf").values, where="conf")
    frame = fetch_rows(config.data, root=ROOT).frame
    champion, _ = _train(frame.head(n_rows), config)
    if is_labeled:
        config = _labeled_settings(config, n_rows=n_rows)
        frame = _with_snapshot(frame, n_rows, config)
    candidate, parts = _train(frame, config)
    if ignore_train_rows:
        nothing = build_train_row_filter(parts.train.head(0), champion.schema)
        champion = replace(champion, train_rows=nothing)
    promotion = config.promotion.model_copy(update={"metric_limits": {}})
    inputs = GateInputs(parts.test, {"metrics": {}, "baselines": {}}, _SOUND)
    report = evaluate_gates(candidate, inputs, promotion, champion=champion)
    (gate,) = [gate for gate in report.gates if gate.name == "champion"]
    finding = gate.reason.partition(":")[0]
    return "no interval" if " differs by " in finding else finding


def _labeled_settings(config: Config, *, n_rows: int) -> Config:
    """Return settings whose source is a snapshot beside the first `n_rows` synthetic rows."""
    assert config.data.source.kind == "synthetic"
    history = config.data.source.model_copy(update={"rows": n_rows})
    source = LabeledSource(kind="labeled", path=_SNAPSHOT, half_life_days=_HALF_LIFE_DAYS, history=history)
    return config.model_copy(update={"data": config.data.model_copy(update={"source": source})})


def _with_snapshot(frame: pd.DataFrame, n_rows: int, config: Config) -> pd.DataFrame:
    """Return the rows of a labeled source: rows from number `n_rows` on are a snapshot of four weeks."""
    new = frame.iloc[n_rows:].reset_index(drop=True)
    days = np.linspace(0, _SNAPSHOT_DAYS, len(new))
    new[AT] = (np.datetime64("2026-01-01", "us") + (days * _DAY_US).astype("timedelta64[us]")).astype("datetime64[us]")
    new[WEIGHT] = 1.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _SNAPSHOT
        path.parent.mkdir(parents=True)
        files.write_parquet(path, new)
        return fetch_rows(config.data, root=Path(folder)).frame


def _train(frame: pd.DataFrame, config: Config) -> tuple[Package, TrainTestSplit]:
    schema = Schema.from_config(config.data)
    parts = split_train_test(frame, schema, config.data.split, seed=config.seed)
    result = train_classifier(
        parts.train, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    with tempfile.TemporaryDirectory() as folder:
        package.write_package(
            Path(folder) / "package",
            result.classifier,
            train=parts.train,
            test=parts.test.head(50),
            scores=result.out_of_fold,
            metrics=result.mean_metrics,
            lineage={},
            training=config.training,
            model=config.model.name,
            split=hash_split(config.data.split, seed=config.seed),
        )
        return package.load_package(Path(folder) / "package"), parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retrains", type=int, default=20, help="retrains of each line")
    parser.add_argument("--rows", type=int, default=8000, help="rows of the champion's snapshot")
    parser.add_argument("settings", nargs="*", help="settings that differ from conf/, such as model=random_forest")
    arguments = parser.parse_args()
    lines = {
        "by_hash": (("data.split.kind=by_hash",), {}),
        "by_hash, new rows labeled": (("data.split.kind=by_hash",), {"is_labeled": True}),
        "stratified, known rows left out": (("data.split.kind=stratified",), {}),
        "stratified, known rows stay": (("data.split.kind=stratified",), {"ignore_train_rows": True}),
    }
    verdicts = ("superior", "no significant difference", "no interval", "inferior")
    print(f"{arguments.retrains} retrains, {arguments.rows:,} -> {round(GROWTH * arguments.rows):,} rows")
    print(f"{'split':<34}{''.join(verdict.rjust(27) for verdict in verdicts)}")
    for name, (words, options) in lines.items():
        counts = count_verdicts(arguments.retrains, arguments.rows, *words, *arguments.settings, **options)
        print(f"{name:<34}{''.join(str(counts[verdict]).rjust(27) for verdict in verdicts)}", flush=True)


if __name__ == "__main__":
    main()

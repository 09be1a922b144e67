"""Compare our default with peers on the same five folds of a table: log loss and AUC with paired intervals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from sklearn.model_selection import StratifiedKFold
from table_catalog import cache_folder
from table_run import read_as_owner

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data import sources
from pipeline.metrics import compare_paired, compute_metrics
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.modeling.training import train_classifier
from pipeline.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from table_catalog import Table

    from pipeline.config.root_config import Config

__all__ = ["ScoredTable", "compare_table", "quality_line", "score_rows"]

_METRICS = ("log_loss", "roc_auc")
_REQUIREMENTS = {
    "skrub": ("skrub", "pyarrow"),
    "logistic": ("skrub", "pyarrow"),
    "autogluon": ("autogluon.tabular[lightgbm,catboost]", "pyarrow"),
}


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """Our out-of-fold probabilities, the true classes and the folds, with the seconds of the processor."""

    schema: Schema
    y: NDArray[np.int64]
    fold_of: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    cpu_seconds: float


def score_rows(frame: pd.DataFrame, config: Config, schema: Schema) -> ScoredTable:
    """Train the model of the settings as the stage `train` does; `frame` has labeled rows only."""
    started = time.process_time()
    result = train_classifier(
        frame, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    seconds = time.process_time() - started
    y = encode_target(frame, schema.target)
    fold_of = np.empty(len(y), dtype=np.int64)
    splitter = StratifiedKFold(config.training.folds, shuffle=True, random_state=config.seed)
    for fold, (_, inside) in enumerate(splitter.split(y, y)):
        fold_of[inside] = fold
    return ScoredTable(schema, y, fold_of, result.out_of_fold, seconds)


def compare_table(table: Table, file: Path, project: Path, *, peers: tuple[str, ...]) -> dict[str, Any]:
    """Score the rows of a declared table by us and by each peer; `project` holds the declaration and the file."""
    config = build_config(compose((f"data={table.name}",), conf=project / "conf").values, where="conf")
    rows = sources.fetch_rows(config.data, root=project).frame
    raw = read_as_owner(table, file)
    if len(rows) != len(raw):
        raise SystemExit(f"{table.name}: the engine reads {len(rows)} rows and pandas {len(raw)}")
    labeled = rows[config.data.target.column].isin(config.data.target.classes).to_numpy()
    scored = score_rows(rows[labeled].reset_index(drop=True), config, Schema.from_config(config.data))
    folder = cache_folder() / "folds" / table.name
    folder.mkdir(parents=True, exist_ok=True)
    _write_rows(raw[labeled].reset_index(drop=True), table, config, folder)
    np.savez(folder / "folds.npz", y=scored.y, fold_of=scored.fold_of)
    ours = _labeled(scored.schema, scored.y, scored.probabilities)
    report: dict[str, Any] = {
        "name": table.name,
        "rows": len(scored.y),
        "columns": raw.shape[1] - 1,
        "classes": len(scored.schema.target.classes),
        "ours": {**compute_metrics(ours, _METRICS), "cpu_seconds": scored.cpu_seconds},
    }
    for peer in peers:
        report[peer] = _compare_peer(peer, ours, scored, folder)
    return report


def _write_rows(raw: pd.DataFrame, table: Table, config: Config, folder: Path) -> None:
    """Write what peers learn from: all columns but the target, ids, and columns that give the label away."""
    left_out = {table.target}
    declared = {name: column.role for name, column in config.data.columns.items()}
    report = folder / "left_out.yaml"
    if report.exists():
        left_out |= set(yaml.safe_load(report.read_text(encoding="utf-8")) or [])
    columns = [
        name
        for name in raw
        if name not in left_out
        and name.strip() not in left_out
        and declared.get(name.strip(), "feature") != "id"
        and not str(name).startswith("Unnamed: 0")
    ]
    rows = raw[columns]
    texts = {name: "string" for name in rows if rows[name].dtype == object}
    rows.astype(texts).rename(columns=str).to_parquet(folder / "rows.parquet", index=False)


def _labeled(schema: Schema, y: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Any:
    return make_scored_rows(schema.target, y, probabilities, threshold=0.5 if schema.target.is_binary else None)


def _compare_peer(peer: str, ours: Any, scored: ScoredTable, folder: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("table_peers.py")
    answer = subprocess.run(
        [str(_interpreter(peer)), str(script), peer, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        return {"error": answer.stderr.strip().splitlines()[-1][:300]}
    probabilities = np.load(folder / f"{peer}.npz")["probabilities"]
    theirs = _labeled(scored.schema, scored.y, np.clip(probabilities, 1e-15, 1.0))
    differences = compare_paired(ours, theirs, _METRICS, confidence_level=0.95)
    return {
        **compute_metrics(theirs, _METRICS),
        **json.loads((folder / f"{peer}.json").read_text(encoding="utf-8")),
        "difference": {name: asdict(estimate) for name, estimate in differences.items()},
    }


def _interpreter(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made by pip where it is not there."""
    folder = cache_folder() / "peers" / ("autogluon" if peer == "autogluon" else "skrub")
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *_REQUIREMENTS[peer]], check=True)
    return python


def quality_line(report: dict[str, Any], peers: tuple[str, ...]) -> str:
    """Return a line of the table of quality: a star marks a difference beyond chance."""
    ours = report["ours"]
    cells = [report["name"], f"{report['rows']:,} x {report['columns']}", str(report["classes"])]
    cells.append(f"{ours['log_loss']:.4f} / {ours['roc_auc']:.4f}")
    for peer in peers:
        values = report.get(peer, {"error": "not run"})
        if "error" in values:
            cells.append(values["error"])
            continue
        differences = values["difference"]
        ratio = ours["cpu_seconds"] / max(values["cpu_seconds"], 1e-9)
        parts = " / ".join(_difference_cell(name, differences[name]) for name in _METRICS)
        cells.append(f"{parts}; {ratio:.1f}")
    return "| " + " | ".join(cells) + " |"


def _difference_cell(name: str, difference: dict[str, Any]) -> str:
    value, low, high = (difference[key] for key in ("value", "low", "high"))
    if low is None:
        return f"{value:+.4f}"
    sign = -1 if name == "log_loss" else 1
    verdict = (
        " better" if min(sign * low, sign * high) > 0 else " **worse**" if max(sign * low, sign * high) < 0 else ""
    )
    return f"{value:+.4f}{verdict}"

"""A registered project with labeled predictions of two callers, for the tests beside this file."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline import state as store
from pipeline.config.root_config import Config
from pipeline.gates import Gate, GateReport
from pipeline.registry.stage_transitions import promote_version
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state import LoopMode

CALLERS = ("ada", "bob")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, with an identity of its own."""
    names = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    command = ["git", *names, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(folder: Path) -> str:
    """Make a repository of the settings of a folder and return its commit."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf/config.yaml").write_text("# Which problem?\ndefaults:\n  - data: toy\n", encoding="utf-8")
    (folder / ".gitignore").write_text("/state/\n/.mlops/\n", encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "conf", ".gitignore")
    git(folder, "commit", "-q", "-m", "Settings")
    return git(folder, "rev-parse", "HEAD")


def retrain_settings(**changes: Any) -> Config:
    """Return the settings of the toy problem, with other values below `lifecycle.retrain`."""
    config = settings()
    plain = config.model_dump(mode="json")
    for name, value in changes.items():
        section, _, key = name.partition("__")
        part = plain["lifecycle"]["retrain"]
        (part[section] if key else part)[key or section] = value
    return Config.model_validate({**plain, "name": MODEL_NAME}, strict=False)


@contextmanager
def context_of(root: Path, *, mode: LoopMode = "act", at: int = NOW, **changes: Any) -> Iterator[store.LoopContext]:
    """Yield what a part of the loop gets at a moment."""
    state = store.open_state(root)
    state.clock = lambda: at
    try:
        yield store.LoopContext(state, retrain_settings(**changes), root, now=at, mode=mode, actor="ada")
    finally:
        state.close()


def log_labels(
    root: Path, n: int, *, seed: int = 5, wrong: float = 0.0, at: int = NOW, has_changed: bool = False
) -> None:
    """Log rows with their outcomes, alternately from two callers; a share of the outcomes of the first is wrong.

    In a changed world, rows whose last numeric feature is above its median have the other class.
    """
    # Of both parts: a split by hash puts rows of the train part into the train part again.
    both = pd.concat([parts("personality", 4_000).train, parts("personality", 4_000).test], ignore_index=True)
    frame = both.sample(n, random_state=seed, replace=True).reset_index(drop=True)
    ids = write_log(root, frame, start=at - 20 * store.HOUR_US, stop=at - store.HOUR_US, prefix=f"p{seed}-")
    package, _ = production_package(root)
    truth = frame[package.schema.target.column].astype(str).tolist()
    if has_changed:
        name = [column.name for column in package.schema.features if column.is_numeric][-1]
        values = frame[name].astype(float)
        is_turned = (values > values.median()).tolist()
        other = dict(zip(package.classes, reversed(package.classes), strict=True))
        truth = [other[label] if turned else label for label, turned in zip(truth, is_turned, strict=True)]
    rng = np.random.default_rng(seed)
    state = store.open_state(root)
    with state.writing() as connection:
        for number, caller in enumerate(CALLERS):
            rows = []
            for i in range(number, n, len(CALLERS)):
                is_wrong = number == 0 and rng.random() < wrong
                label = next(name for name in package.classes if name != truth[i]) if is_wrong else truth[i]
                rows.append((ids[i], at - store.HOUR_US, label, "test"))
            store.add_outcomes(connection, rows, caller=caller)
    state.close()


def set_stage(root: Path, version: int, stage: str) -> None:
    """Change the stage of a version, as a person does."""
    with context_of(root) as context:
        promote_version(context.state, MODEL_NAME, version, stage=stage, force=True, reason="by hand")


def record_degradation(root: Path, *, verdict: str = "degraded", at: int = NOW) -> None:
    """Store a monitor run whose log loss has a verdict."""
    state = store.open_state(root)
    summary = {
        "columns": [],
        "metrics": {"log_loss": {"realized": 0.5, "estimated": 0.2, "baseline": 0.2, "verdict": verdict}},
    }
    run = store.MonitorRun(MODEL_NAME, 1, at, at - 1, at, verdict="drift", severity="warning", summary=summary)
    with state.writing() as connection:
        store.add_monitor_run(connection, run)
    state.close()


def evaluated_retrain(
    root: Path, *, fresh_verdict: str = "pass", result: str = "pass", **changes: Any
) -> store.Retrain:
    """Store a retrain in state `committed` whose candidate is version 2 and return it."""
    gates = GateReport("2" * 64, "1" * 64, (Gate("recalibrated_champion", result, "by 0.1"),))  # type: ignore[arg-type]
    state = store.open_state(root)
    with state.reading() as connection:
        digests = [version.digest for version in store.read_versions(connection, MODEL_NAME)]
    facts = {
        "reason": "log_loss became significantly worse",
        "champion": 1,
        "champion_digest": digests[0],
        "base_commit": "0" * 40,
        "base_note": "",
        "snapshot": "data/external/labeled/m-1.parquet",
        "settings_file": "conf/data/toy.yaml",
        "callers": [
            {"caller": "", "n_labels": 9, "n_confident": 5, "n_contradictions": 1, "expected": 0.2, "n_changed": 0}
        ],
        "guards": [{"name": "flips", "result": "pass", "reason": "0% of 9 labels", "caller": None}],
        "evaluation": {
            "digest": digests[1],
            "gates": gates.as_dict(),
            "fresh": {"metric": "log_loss", "n_rows": 150, "verdict": fresh_verdict, "readings": []},
        },
    }
    asked = store.Retrain(MODEL_NAME, "degradation", NOW, "loop", NOW, facts, n_rows=350, n_labels=500)
    with state.writing() as connection:
        added = store.add_retrain(connection, asked)
        evaluated = replace(added, **{"state": "committed", **changes})
        store.update_retrain(connection, added, evaluated, actor="loop")
    state.close()
    return evaluated

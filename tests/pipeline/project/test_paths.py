"""Paths are relative, distinct, and those that dvc.yaml declares."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.project import paths
from tests.fixtures.toy_dataset import ROOT

ALL = {name: getattr(paths, name) for name in paths.__all__}


def test_all_paths_are_relative_and_distinct() -> None:
    assert all(isinstance(path, Path) and not path.is_absolute() for path in ALL.values())
    assert len(set(ALL.values())) == len(ALL)


def test_each_output_of_the_graph_has_a_name_here() -> None:
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    outputs = {
        Path(output if isinstance(output, str) else next(iter(output)))
        for stage in graph["stages"].values()
        for output in (*stage.get("outs", ()), *stage.get("metrics", ()))
    }
    assert outputs <= set(ALL.values())


def test_files_of_the_state_lie_below_its_folder() -> None:
    below = {name for name, path in ALL.items() if path.parts[0] == "state" and name != "STATE"}
    assert below >= {"STATE_DATABASE", "STATE_BACKUPS", "PACKAGES", "RUN_OUTBOX", "LOG_HASH_KEY", "MONITOR_LOCK"}

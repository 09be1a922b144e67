"""A project on a few hundred rows in which real processes sweep."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipeline.tracking import ExperimentTracker
from tests.fixtures.forked_programs import environment_with_forks
from tests.pipeline.tracking.graph_outputs import make_rows

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.tracking import RecordedRun

__all__ = ["EXPERIMENT", "REPOSITORY", "Project", "make_project"]

REPOSITORY = Path(__file__).parents[3]
EXPERIMENT = "personality_classification"


@dataclass(frozen=True)
class Project:
    """A folder with conf/, rows and a store, in which real processes sweep."""

    root: Path

    def train(self, *overrides: str, expect: int = 0) -> str:
        """Run the train stage manually and return its output."""
        process = subprocess.run(
            ["python", "-m", "stages.train", *overrides],
            cwd=self.root,
            env=environment_with_forks(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == expect, process.stdout + process.stderr
        return process.stdout + process.stderr

    @property
    def environment(self) -> dict[str, str]:
        """The environment without what belongs to the test run."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_", "MLOPS_"))}
        address = {name: os.environ[name] for name in ("MLOPS_DASK_ADDRESS",) if name in os.environ}
        return clean | address | {"PYTHONPATH": str(self.root)}

    def copy(self, name: str, *, without: Collection[str] = ()) -> Project:
        """Return a copy beside this project; what it leaves out is made again."""
        ignore = shutil.ignore_patterns(*without, *(f"{name}-*" for name in without))
        return Project(Path(shutil.copytree(self.root, self.root.parent / name, symlinks=True, ignore=ignore)))

    @property
    def tracker(self) -> ExperimentTracker:
        return ExperimentTracker(EXPERIMENT, root=self.root)

    def runs(self, kind: str) -> list[RecordedRun]:
        return self.tracker.search_runs({"mlops.kind": kind})


def edit(path: Path, **values: object) -> None:
    """Change leaves of a settings file; `a__b=1` is the key a.b."""
    text = path.read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    for name, value in values.items():
        *above, last = name.split("__")
        place = tree
        for part in above:
            place = place[part]
        place[last] = value
    path.write_text(text.splitlines()[0] + "\n" + yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def make_project(root: Path) -> Path:
    """Write settings, rows and an empty MLflow store into a new folder."""
    root.mkdir()
    shutil.copytree(REPOSITORY / "conf", root / "conf")
    shutil.copy(REPOSITORY / "dvc.yaml", root / "dvc.yaml")
    for code in ("pipeline", "stages"):
        (root / code).symlink_to(REPOSITORY / code)
    edit(root / "conf/data/personality.yaml", source__rows=600)
    edit(root / "conf/training/default.yaml", folds=2, n_jobs=1)
    edit(root / "conf/model/hist_gradient_boosting.yaml", estimator__max_iter=10)
    make_rows(root)
    ExperimentTracker(EXPERIMENT, root=root).store.experiment_id(EXPERIMENT)
    return root

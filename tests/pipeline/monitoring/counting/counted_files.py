"""A project with one package, and files of its rows with predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.monitoring.counting import CountJob, plan_counts, read_counts
from pipeline.package import PackageStore
from pipeline.parts import run_parts
from pipeline.storage import StoragePath
from tests.fixtures.registered_project import make_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.monitoring import BinCounts
    from pipeline.package import Package

__all__ = ["Counted", "scored_frame"]


def scored_frame(package: Package, n: int) -> pd.DataFrame:
    """Return `n` rows with the columns that `mlops predict` writes, and a column that is not declared."""
    frame = pd.DataFrame(make_rows(n)).convert_dtypes()
    probabilities = package.predict_proba(frame)
    shares = {f"probability_{name}": probabilities[:, at] for at, name in enumerate(package.classes)}
    return frame.assign(
        prediction=package.predict(frame), confidence=probabilities.max(axis=1), **shares, note=np.arange(n)
    )


@dataclass(frozen=True)
class Counted:
    """A project whose package store has one package."""

    root: Path
    package: Package

    @classmethod
    def create(cls, root: Path, package_folder: Path) -> Counted:
        return cls(root, PackageStore(root / "state/packages").add(package_folder))

    def count(
        self, *sources: Path | str, output: Path | str, part_rows: int = 1_000, workers: int = 1, predicts: bool = False
    ) -> BinCounts:
        addresses = [StoragePath.parse(source) for source in sources]
        plan = plan_counts(self.package, addresses, predicts=predicts, part_rows=part_rows)
        config = LocalEngineConfig(kind="local", workers=workers, retries=0, part_rows=part_rows)
        folder = StoragePath.parse(output)
        with open_engine(config) as engine:
            run_parts(CountJob(self.root), plan, folder, engine)
        return read_counts(folder, self.package)

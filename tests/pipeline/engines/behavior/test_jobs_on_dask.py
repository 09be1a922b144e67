"""Counts and validations have the same bytes on a cluster as in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.monitoring.counting import CountJob, plan_counts
from pipeline.package import PackageStore
from pipeline.part_validation import ValidationJob, plan_validation
from pipeline.parts import run_parts
from pipeline.project import paths
from pipeline.storage import StoragePath
from tests.pipeline.monitoring.counting.counted_files import scored_frame
from tests.pipeline.part_validation.checked_files import declare, make_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.engine_config import DaskEngineConfig

pytestmark = pytest.mark.xdist_group("clusters")

IN_PROCESS = LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=1)


def test_counts_are_equal(dask_config: DaskEngineConfig, packages: dict[str, Path], tmp_path: Path) -> None:
    package = PackageStore(tmp_path / paths.PACKAGES).add(packages["linear"])
    scored_frame(package, 2_000).to_parquet(tmp_path / "in.parquet", row_group_size=250)
    plan = plan_counts(package, [StoragePath.parse(tmp_path / "in.parquet")], predicts=False, part_rows=250)
    assert len(plan.parts) == 8
    for name, config in (("here", IN_PROCESS), ("cluster", dask_config)):
        with open_engine(config) as engine:
            run_parts(CountJob(tmp_path), plan, StoragePath.parse(tmp_path / name), engine)
    assert (tmp_path / "cluster/counts.json").read_bytes() == (tmp_path / "here/counts.json").read_bytes()


def test_reports_are_equal(dask_config: DaskEngineConfig, tmp_path: Path) -> None:
    config = declare(unique=["many", "day"])
    make_rows(4_000).to_parquet(tmp_path / "in.parquet", row_group_size=500, index=False)
    sources = [StoragePath.parse(tmp_path / "in.parquet")]
    for name, engine_config in (("here", IN_PROCESS), ("cluster", dask_config)):
        with open_engine(engine_config) as engine:
            plan = plan_validation(sources, config, engine, part_rows=500)
            run_parts(ValidationJob(), plan, StoragePath.parse(tmp_path / name), engine)
    assert (tmp_path / "cluster/validation.json").read_bytes() == (tmp_path / "here/validation.json").read_bytes()

"""A package whose rows have an id, in a project without a state database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.data.splitters import hash_split
from pipeline.engines import open_engine
from pipeline.package import Package, PackageStore, write_package
from pipeline.parts import run_parts
from pipeline.project import paths
from pipeline.schema import Column
from pipeline.serving.files.scoring_job import ScoringJob, ScoringSettings
from pipeline.serving.files.scoring_plan import plan_scoring
from pipeline.storage import StoragePath
from tests.fixtures.small_packages import parts, train_small_model
from tests.pipeline.serving.files.scored_parts import read_output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.parts import PartPlan

MODEL = "personality_model"


@dataclass(frozen=True)
class PartScoring:
    """Scores files below a project in parts."""

    root: Path
    package: Package

    def plan(self, *addresses: Any, output: str = "out", part_rows: int = 100, **changes: Any) -> PartPlan:
        """Return the plan of addresses; `changes` are settings."""
        schema, digest = self.package.schema, self.package.digest
        settings = ScoringSettings(MODEL, 1, 1, digest, dict(schema.dialect), **changes)
        found = [StoragePath.parse(address) for address in addresses]
        return plan_scoring(self.package, found, self.folder(output), settings=settings, part_rows=part_rows)

    def folder(self, output: str = "out") -> StoragePath:
        return StoragePath.parse(output if "://" in output else self.root / output)

    def run(self, plan: PartPlan, *, output: str = "out", workers: int = 1) -> Mapping[str, Any]:
        """Run a plan, and return the manifest."""
        config = LocalEngineConfig(kind="local", workers=workers, retries=3, part_rows=plan.part_rows)
        with open_engine(config) as engine:
            return run_parts(ScoringJob(self.root), plan, self.folder(output), engine)

    def output(self, name: str = "out") -> pa.Table:
        return read_output(self.folder(name))


@pytest.fixture(scope="session")
def package_with_id(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a package whose rows have the id `id`."""
    config, result = train_small_model("personality", "model=logistic_regression", n_rows=400)
    rows = parts("personality", 400)
    schema = result.classifier.schema
    schema = replace(schema, columns=(*schema.columns, Column("id", "integer", "Int64", role="id")))
    path = tmp_path_factory.mktemp("with_id") / "package"
    write_package(
        path,
        replace(result.classifier, schema=schema),
        train=rows.train,
        test=rows.test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={"data": "personality", "params_sha256": "0" * 64},
        training=config.training,
        split=hash_split(config.data.split, seed=config.seed),
        model=config.model.name,
    )
    return path


@pytest.fixture
def scoring(package_with_id: Path, tmp_path: Path) -> PartScoring:
    """A project that has the package and nothing else."""
    return PartScoring(tmp_path, PackageStore(tmp_path / paths.PACKAGES).add(package_with_id))

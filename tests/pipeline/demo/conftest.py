"""A project with a model of the iris flowers in Production, and no traffic."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.config.composition import compose
from pipeline.project import paths
from pipeline.registry import ModelRegistry
from tests.fixtures.small_packages import parts, write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("demo") / "project"
    root.mkdir()
    (root / "dvc.yaml").touch()
    (root / paths.CONF).mkdir()
    shutil.copytree(ROOT / "conf/scenario", root / "conf/scenario")
    (root / paths.PARAMS).write_text(compose(["data=iris"], conf=ROOT / "conf").text, encoding="utf-8")
    (root / "data").mkdir()
    parts("iris").test.to_parquet(root / paths.TEST_ROWS)
    write_small_package(root / "package", "iris", "model=logistic_regression")
    registry = ModelRegistry(root, _UNREACHABLE, actor="ada")
    registry.register_model(root / "package", "iris_model")
    registry.promote_model("iris_model", 1, "Production", force=True, reason="the first")
    return root

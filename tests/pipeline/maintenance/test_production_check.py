"""The doctor reports each component of production; only a lost database keeps the project from working."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.config_loader import load_params
from pipeline.maintenance.production_check import check_production, diagnose_production
from pipeline.project import paths
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLOPS_SERVER_URL", "MLOPS_API_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / paths.PARAMS).write_text(composed().text, encoding="utf-8")
    return tmp_path


def test_a_new_project_has_unknown_components_and_no_problem(root: Path) -> None:
    assert {diagnosis.state for diagnosis in diagnose_production(root)} == {"unknown"}
    assert check_production(root, load_params(root / paths.PARAMS)).state == "unknown"


def test_a_lost_database_is_a_problem(root: Path) -> None:
    (root / paths.PACKAGES / ("a" * 64)).mkdir(parents=True)
    states = {diagnosis.check: diagnosis.state for diagnosis in diagnose_production(root)}
    assert states["production: State database"] == "problem"
    assert "ok" not in states.values()


def test_an_api_that_is_down_is_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SERVER_URL", "http://127.0.0.1:9")
    states = {diagnosis.check: diagnosis.state for diagnosis in diagnose_production(root)}
    assert states["production: API"] == "warning"


def test_a_folder_without_settings_has_no_diagnosis_of_production(tmp_path: Path) -> None:
    assert diagnose_production(tmp_path) == ()

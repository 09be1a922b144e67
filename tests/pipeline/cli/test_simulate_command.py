"""`mlops simulate` checks the scenario and the server before it sends rows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

UNREACHABLE_URL = "http://127.0.0.1:1"


@pytest.fixture
def scenario_project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").touch()
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def test_an_unreachable_server_exits_with_code_7_and_the_start_command(
    scenario_project: Path, run_cli: CliRunner
) -> None:
    run = run_cli("simulate", "calm", "--url", UNREACHABLE_URL, cwd=scenario_project)
    assert (run.exit_code, "mlops serve" in run.err, run.out) == (7, True, "")


def test_an_unknown_scenario_exits_with_code_3(scenario_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("simulate", "calmm", "--url", UNREACHABLE_URL, cwd=scenario_project)
    assert (run.exit_code, "calmm" in run.err) == (3, True)


@pytest.mark.parametrize("option", ["--speed", "--rows-per-s"])
def test_a_rate_must_be_positive(scenario_project: Path, run_cli: CliRunner, option: str) -> None:
    run = run_cli("simulate", "calm", option, "0", cwd=scenario_project)
    assert (run.exit_code, option in run.err) == (2, True)

"""`mlops fairness report` shows groups of the test rows, or of live predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.project import paths
from tests.pipeline.fairness.test_fairness_text import REPORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_the_groups_of_the_test_rows_are_a_table_or_json(model_project: Path, mlops: Mlops) -> None:
    files.write_json(model_project / paths.EVALUATION_REPORT, {"fairness": REPORT})
    assert "verdict: fail; 2 groups: fail" in mlops("fairness", "report").out
    assert json.loads(mlops("fairness", "report", "--json").out) == json.loads(json.dumps(REPORT))


def test_live_groups_need_protected_columns(mlops: Mlops) -> None:
    assert mlops("fairness", "report", "--live").out.endswith(
        "verdict: not assessed; no protected column was assessed; `protected: true` in conf/data declares one\n"
    )


def test_options_of_the_live_window_need_live(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("fairness", "report", "--hours", "3", cwd=model_project)
    assert (run.exit_code, "add --live" in run.err) == (2, True)

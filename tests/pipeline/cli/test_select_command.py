"""`mlops select` prints each configuration and the next command, and refuses an unknown search."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipeline.cli.select_command import selection_lines
from pipeline.selection import ConfigurationResult, Selection
from pipeline.sweeps import AdoptedExperiment
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

CHOSEN = ConfigurationResult("C=0.5", {}, "chosen", 0.13, 0.0, 0.0, 5, 1.0)
DROPPED = ConfigurationResult("as configured", {}, "dropped", None, 0.02, 0.004, 1, 1500.0)
FAILED = ConfigurationResult("C=-1.0", {}, "failed", None, None, None, 0, None, "model.estimator.C: must be positive")


def lines(experiment: AdoptedExperiment | None, *, is_applied: bool = False) -> list[str]:
    selection = Selection("log_loss", 5, 6, 15, False, (CHOSEN, DROPPED, FAILED), experiment)
    return list(selection_lines(selection, "auto_3", is_applied=is_applied))


def test_each_configuration_has_its_line_and_the_reason_of_a_failure() -> None:
    _, chosen, dropped, failed, reason, fits, ending = lines(None)
    assert chosen.split() == ["0.13000", "0.00000", "0.00000", "5", "1", "chosen", "C=0.5"]
    assert dropped.split() == ["0.02000", "0.00400", "1", "1,500", "dropped", "as", "configured"]
    assert failed.split() == ["0", "failed", "C=-1.0"]
    assert reason.strip() == "model.estimator.C: must be positive"
    assert fits == "6 fits of 15"
    assert ending == "the present settings were chosen; nothing is written"


def test_the_next_command_trains_with_the_written_experiment() -> None:
    experiment = AdoptedExperiment("conf/experiment/auto_3.yaml", None, {}, "")
    assert lines(experiment)[-1].endswith("written; train with `dvc exp run -S experiment=auto_3`")
    assert lines(experiment, is_applied=True)[-1].endswith("train with `dvc repro`")


def test_an_unknown_search_exits_with_code_3(tmp_path: Path, run_cli: CliRunner) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    run = run_cli("select", "--search", "hist_gradient_bosting", cwd=tmp_path)
    assert (run.exit_code, "did you mean 'hist_gradient_boosting'?" in run.err) == (3, True)

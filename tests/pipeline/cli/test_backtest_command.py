"""`mlops monitor backtest` checks its options and names the files of proposed settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.backtest_command import _config_files
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_a_proposed_key_is_in_its_file_or_in_the_file_of_its_section() -> None:
    assert _config_files(["drift.alpha", "drift.no_such_key"], ROOT) == {
        "drift.alpha": "conf/drift/default.yaml",
        "drift.no_such_key": "conf/drift/default.yaml",
    }


def test_a_key_of_no_section_belongs_somewhere_in_conf() -> None:
    assert _config_files(["nothing.at_all"], ROOT) == {"nothing.at_all": "conf/"}


def test_a_project_without_conf_has_no_files(tmp_path: Path) -> None:
    assert _config_files(["drift.alpha"], tmp_path) == {"drift.alpha": "conf/"}


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--alert-budget", "often"), "1/"), (("--draws", "5"), "--draws"), (("--windows", "-1"), "--windows")],
)
def test_a_wrong_option_exits_with_code_2(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], message: str
) -> None:
    run = run_cli("monitor", "backtest", *words, cwd=model_project)
    assert (run.exit_code, message in run.err) == (2, True)

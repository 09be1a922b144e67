"""`mlops profile` refuses wrong arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_an_unknown_stage_exits_with_code_2(tmp_path: Path, run_cli: CliRunner) -> None:
    (tmp_path / "dvc.yaml").touch()
    run = run_cli("profile", "trian", cwd=tmp_path)
    assert (run.exit_code, "'trian'" in run.err, "train" in run.err) == (2, True, True)


def test_the_load_lasts_at_most_ten_minutes(tmp_path: Path, run_cli: CliRunner) -> None:
    run = run_cli("profile", "serve", "--seconds", "601", cwd=tmp_path)
    assert (run.exit_code, "--seconds" in run.err) == (2, True)

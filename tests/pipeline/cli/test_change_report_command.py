"""`mlops change-report` checks its output file before it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_an_unknown_suffix_exits_with_code_2(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("change-report", "-o", "report.pdf", cwd=model_project)
    message = "mlops: --output report.pdf: expected a file that ends with .md, .html, .json\n"
    assert (run.exit_code, run.err) == (2, message)
    assert not (model_project / "report.pdf").exists()

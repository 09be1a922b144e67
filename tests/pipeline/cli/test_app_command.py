"""`mlops app` starts the dashboard of the project."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_a_missing_extra_is_named_with_its_command(
    model_project: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "streamlit", None)
    run = run_cli("app", cwd=model_project)
    assert (run.exit_code, "pip install 'declarative-mlops[app]'" in run.err) == (7, True)


@pytest.mark.parametrize("port", ["0", "70000", "no"])
def test_a_wrong_port_is_refused(model_project: Path, run_cli: CliRunner, port: str) -> None:
    run = run_cli("app", "--port", port, cwd=model_project)
    assert (run.exit_code, "--port" in run.err) == (2, True)

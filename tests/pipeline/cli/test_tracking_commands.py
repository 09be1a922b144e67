"""`mlops tracking`: an empty outbox, an unreachable MLflow, and wrong arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Tracking = Callable[..., CliRun]

# MLflow warns about one of its own type hints at import.
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint is inferred as AnyType:UserWarning")


@pytest.fixture
def tracking(tmp_path: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    """Run `mlops tracking WORDS` in a project without runs, whose MLflow server is unreachable."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return lambda *words: run_cli("tracking", *words, cwd=tmp_path)


def test_flush_of_an_empty_outbox_sends_nothing(tracking: Tracking) -> None:
    assert tracking("flush").out == "0 runs sent\n"
    assert json.loads(tracking("flush", "--json").out) == []


@pytest.mark.parametrize("words", [("compare",), ("adopt", "abc", "--as", "winner")])
def test_an_unreachable_mlflow_exits_with_code_7(tracking: Tracking, words: tuple[str, ...]) -> None:
    run = tracking(*words)
    assert run.exit_code == 7, run.err


def test_adopt_needs_a_name(tracking: Tracking) -> None:
    run = tracking("adopt", "abc")
    assert (run.exit_code, "--as" in run.err) == (2, True)

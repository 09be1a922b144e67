"""`mlops monitor` reports on a window and rebuilds the roll-ups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_a_report_without_predictions_has_not_enough_data(mlops: Mlops) -> None:
    report = json.loads(mlops("monitor", "report", "--json").out)
    assert report["dashboard"]["total_predictions"] == 0
    assert "not enough data" in mlops("monitor", "report").out.splitlines()[0]


def test_rebuild_counts_the_predictions(mlops: Mlops) -> None:
    assert mlops("monitor", "rebuild").out == "roll-ups rebuilt from 0 predictions\n"
    assert json.loads(mlops("monitor", "rebuild", "--json").out) == {"n_rows": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--until", "soon"), "--until 'soon': expected ISO 8601"),
        (("--until", "1969-01-01"), "expected a year from 1971 to 9998"),
        (("--model", "other"), "other"),
    ],
)
def test_a_wrong_option_exits_with_code_2(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], message: str
) -> None:
    run = run_cli("monitor", "report", *words, cwd=model_project)
    assert (run.exit_code, message in run.err) == (2, True)

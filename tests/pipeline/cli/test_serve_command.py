"""`mlops serve` refuses wrong arguments before it listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--stage", "Archived"), 2, "--stage 'Archived': expected one of "),
        (("--authentication", "maybe"), 2, "--authentication 'maybe': expected one of none, required"),
        (("--port", "70000"), 2, "--port"),
        (("--host", "0.0.0.0", "--authentication", "none"), 9, "--authentication required"),
    ],
)
def test_a_wrong_argument_stops_the_start(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...], code: int, message: str
) -> None:
    run = run_cli("serve", *words, cwd=model_project)
    assert (run.exit_code, message in run.err) == (code, True)

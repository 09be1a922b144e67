"""`mlops stream` and its commands refuse what they cannot do before they reach a broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.config.composition import compose
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.mark.parametrize("words", [(), ("outcomes",), ("lag",), ("reset",), ("replay", "--dead")])
def test_a_project_without_a_stream_names_the_setting(
    model_project: Path, run_cli: CliRunner, words: tuple[str, ...]
) -> None:
    run = run_cli("stream", *words, cwd=model_project)
    assert (run.exit_code, "compose with stream=kafka" in run.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("replay",), 2, "expected --dead"),
        (("replay", "--dead", "--since", "yesterday"), 2, "--since 'yesterday': expected ISO 8601"),
        (("lag", "--json"), 3, "the variable MLOPS_KAFKA is not set"),
    ],
)
def test_a_wrong_argument_or_environment_is_named(
    model_project: Path,
    run_cli: CliRunner,
    words: tuple[str, ...],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLOPS_KAFKA", raising=False)
    settings = compose(["stream=kafka"], conf=ROOT / "conf").values
    (model_project / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    run = run_cli("stream", *words, cwd=model_project)
    assert (run.exit_code, message in run.err) == (code, True)

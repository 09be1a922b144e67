"""The commands of the registry, as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Mlops = Callable[..., CliRun]


def test_list_shows_the_stage_and_the_verdict_of_each_version(mlops: Mlops) -> None:
    head, *lines = mlops("models", "list").out.splitlines()
    assert head.split() == ["model", "version", "release", "stage", "gates", "estimator", "package", "registered"]
    assert [line[head.index("gates") :].split()[0] for line in lines].count("promote") == 2
    assert all(line.endswith(" UTC") for line in lines)
    versions = json.loads(mlops("models", "list", "--json").out)
    assert [version["stage"] for version in versions] == ["Production", "None", "None"]


def test_show_prints_the_model_card_or_the_lineage(mlops: Mlops) -> None:
    assert "## Gates" in mlops("models", "show", "1").out
    assert json.loads(mlops("models", "show", "1", "--lineage", "--json").out)["commit"] is None


def test_compare_prints_the_versions_in_the_given_order(mlops: Mlops) -> None:
    lines = mlops("models", "compare", "2", "1").out.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "2", "1"]


def test_diff_names_the_settings_that_differ(mlops: Mlops) -> None:
    assert "model: logistic_regression -> naive_bayes" in mlops("models", "diff", "1", "2").out


def test_a_version_without_its_commit_cannot_be_reproduced(model_project: Path, run_cli: CliRunner) -> None:
    run = run_cli("models", "reproduce", "1", cwd=model_project)
    assert run.exit_code == 2
    assert "no commit has a dvc.lock that names its package" in run.err


@pytest.mark.parametrize("words", [("show", "9"), ("diff", "1", "9"), ("compare", "9")])
def test_an_unknown_version_exits_with_code_2(model_project: Path, run_cli: CliRunner, words: tuple[str, ...]) -> None:
    run = run_cli("models", *words, cwd=model_project)
    assert (run.exit_code, "no version 9; versions: 1, 2, 3" in run.err) == (2, True)


def test_a_project_without_versions_names_the_next_command(tmp_path: Path, run_cli: CliRunner) -> None:
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    assert (
        run_cli("models", "list", cwd=tmp_path).out
        == "no version is registered; run `dvc pull` or `dvc repro`, then `mlops models register`\n"
    )
    run = run_cli("models", "show", "1", cwd=tmp_path)
    assert (run.exit_code, "no version is registered; run `dvc pull` or `dvc repro`" in run.err) == (2, True)

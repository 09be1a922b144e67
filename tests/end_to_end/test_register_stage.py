"""The register stage promotes, stages or rejects a candidate, with real DVC and git."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry
from tests.fixtures.proof import is_long
from tests.fixtures.workspace import stages_run

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


def stages_of(project: Workspace) -> list[str]:
    return [version.stage for version in ModelRegistry(project.root).list_models()]


def test_the_first_version_is_promoted_and_the_next_that_passes_is_staged(small: Workspace) -> None:
    assert stages_of(small) == ["Production"]
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    assert small.repro() == {"compose", "train", "evaluate", "register"}
    assert stages_of(small) == ["Production", "Staging"]


def test_a_rejected_candidate_ends_with_exit_code_5_and_leaves_its_reports(small: Workspace) -> None:
    small.edit("conf/promotion/default.yaml", "max_size_mb: 200", "max_size_mb: 0.001")
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    failed = small.run("dvc", "repro", expect=255)
    assert "exited with 5" in failed.stderr
    assert "Not promoted. Failed gates: size" in failed.stderr + failed.stdout
    gates = json.loads(small.read("reports/registration.json"))
    assert gates["verdict"] == "reject"
    assert stages_of(small) == ["Production", "None"]
    small.run("python", "-m", "stages.register", "-cd", ".", "-cn", "params", expect=5)
    small.edit("conf/promotion/default.yaml", "max_size_mb: 0.001", "max_size_mb: 200")
    assert stages_run(small.run("dvc", "repro").stdout) == {"compose", "register"}


def test_a_version_is_reproduced_from_its_commit(small: Workspace) -> None:
    name = ModelRegistry(small.root).list_models()[0].model
    lineage = json.loads(small.run("mlops", "models", "show", "1", "--lineage", "--json").stdout)
    assert lineage["commit"] == small.run("git", "rev-parse", "HEAD").stdout.strip()
    assert lineage["data_md5"]["data/train.parquet"] == small.outputs()["data/train.parquet"]
    report = json.loads(small.run("mlops", "models", "reproduce", "1", "--json").stdout)
    assert (report["model"], report["is_equal"]) == (name, True)
    assert {item["name"] for item in report["items"]} >= {"digest", "settings", "metric log_loss"}


@pytest.mark.skipif(not is_long(), reason="a second reproduction; run with --proof=long")
def test_a_reproduction_reports_the_items_that_differ(small: Workspace) -> None:
    (small.root / "conf/model/hist_gradient_boosting.yaml").write_text(
        small.read("conf/model/hist_gradient_boosting.yaml").replace("max_iter: 100", "max_iter: 90"), encoding="utf-8"
    )
    small.run("git", "commit", "-q", "--amend", "-a", "-m", "Settings that are not in dvc.lock")
    completed = small.run("mlops", "models", "reproduce", "1", expect=8)
    assert "DIFFERS  digest" in completed.stdout
    assert "DIFFERS  settings" in completed.stdout
    assert "equal    data data/train.parquet" in completed.stdout


def test_the_same_package_is_the_same_version_in_an_empty_registry(small: Workspace) -> None:
    before = ModelRegistry(small.root).list_models()[0]
    shutil.rmtree(small.root / "state")
    assert small.repro() == set()
    assert "`mlops models register`" in small.run("mlops", "models", "list").stdout
    small.run("mlops", "models", "register")
    assert [version.digest for version in ModelRegistry(small.root).list_models()] == [before.digest]

"""Whatever hid the registration of a candidate, the commands that the messages name lead to a served version."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline import files
from pipeline import state as store
from pipeline.project import paths
from pipeline.registry import ModelRegistry
from tests.pipeline.tracking.graph_outputs import make_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

NAME = "personality_model"
EASY_GATES = (
    "promotion.baselines={majority:null,depth_2_tree:null}",
    "promotion.metric_limits.ece=1",
    "evaluation.metrics=[log_loss,ece]",
)
VALIDATION = {"level": "ok", "leakage": [], "rows": 600, "quarantined": 0, "quality_score": 100.0, "findings": []}
pytestmark = pytest.mark.usefixtures("heavy_computation")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a finished graph whose stage `register` did not register, as in an experiment."""
    root = tmp_path_factory.mktemp("results")
    make_results(root, *EASY_GATES)
    files.write_json(root / paths.VALIDATION_REPORT, VALIDATION)
    (root / "dvc.yaml").touch()
    return root


@pytest.fixture
def workspace(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLOPS_STATE_URL", "MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    return shutil.copytree(results, tmp_path / "workspace")


def _finish_experiment(root: Path) -> None:
    """Leave everything: an experiment evaluates and does not register."""


def _remove_database(root: Path) -> None:
    ModelRegistry(root).register_model(root / paths.CANDIDATE_PACKAGE, NAME)
    for path in (root / "state").glob("*.db*"):
        path.unlink()


def _remove_state(root: Path) -> None:
    _remove_database(root)
    shutil.rmtree(root / "state")


@pytest.mark.parametrize(
    ("hide", "start"),
    [
        (_finish_experiment, "models list"),
        (_finish_experiment, "predict rows.csv --output first.csv"),
        (_remove_database, "models show 1"),
        (_remove_database, "promote 1"),
        (_remove_state, "rollback"),
    ],
)
def test_the_named_commands_lead_to_a_version_in_production(
    workspace: Path, run_cli: CliRunner, hide: Callable[[Path], None], start: str
) -> None:
    hide(workspace)
    files.read_parquet(workspace / paths.TEST_ROWS).head(3).to_csv(workspace / "rows.csv", index=False)
    first = run_cli(*start.split(), cwd=workspace)
    named = re.findall(r"`mlops ([^`]*)`", first.out + first.err)
    assert named == ["models register"], first.out + first.err
    register = run_cli("models", "register", cwd=workspace)
    assert (register.exit_code, f"{NAME} version 1 (1.0.0) promoted to Production" in register.out) == (0, True)
    predicted = run_cli("predict", "rows.csv", "--output", "scored.csv", cwd=workspace)
    assert predicted.exit_code == 0, predicted.err


def test_an_applied_experiment_is_registered_beside_the_version_in_production(
    workspace: Path, run_cli: CliRunner
) -> None:
    assert run_cli("models", "register", cwd=workspace).exit_code == 0
    make_results(workspace, *EASY_GATES, "model.estimator.max_iter=3")
    status = run_cli("status", cwd=workspace)
    assert f"registry: the package is no version of {NAME} yet; run `mlops models register`" in status.out
    run = run_cli("models", "register", cwd=workspace)
    assert f"{NAME} version 2 (1.0.1) is in stage None" in run.out
    assert f"registry: {NAME} version 2 (1.0.1), stage None" in run_cli("status", cwd=workspace).out


def test_a_registered_candidate_stays_as_it_is(workspace: Path, run_cli: CliRunner) -> None:
    first, again = (run_cli("models", "register", cwd=workspace) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert again.out == f"{NAME} version 1 (1.0.0) is in stage Production, already registered\n"
    assert len(ModelRegistry(workspace).list_models()) == 1


def test_a_rejected_candidate_is_registered_and_refused(workspace: Path, run_cli: CliRunner) -> None:
    files.write_json(workspace / paths.VALIDATION_REPORT, {**VALIDATION, "level": "error"})
    run = run_cli("models", "register", cwd=workspace)
    assert (run.exit_code, "Not promoted. Failed gates: validation (" in run.err) == (5, True)
    assert [version.stage for version in ModelRegistry(workspace).list_models()] == ["None"]


def test_a_model_without_a_deployed_version_has_the_next_command(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    hints = []
    for register in (False, True):
        if register:
            ModelRegistry(workspace).register_model(paths.CANDIDATE_PACKAGE, NAME)
        state = store.open_state(workspace)
        with state.reading() as connection:
            hints.append(store.deployment_hint(connection, NAME))
        state.close()
    assert hints == [
        "none is registered; run `mlops models register`",
        f"promote one: `mlops promote VERSION --model {NAME}`",
    ]


def test_an_empty_registry_names_the_command_by_what_the_folder_has(workspace: Path) -> None:
    assert store.register_hint(workspace) == "run `mlops models register`"
    _remove_candidate(workspace)
    assert store.register_hint(workspace) == "run `dvc pull` or `dvc repro`, then `mlops models register`"


def _remove_candidate(root: Path) -> None:
    shutil.rmtree(root / paths.CANDIDATE_PACKAGE)


def _remove_evaluation(root: Path) -> None:
    (root / paths.EVALUATION_REPORT).unlink()


def _evaluate_another_package(root: Path) -> None:
    report = files.read_json(root / paths.EVALUATION_REPORT)
    files.write_json(root / paths.EVALUATION_REPORT, {**report, "package": "0" * 64})


@pytest.mark.parametrize("damage", [_remove_candidate, _remove_evaluation, _evaluate_another_package])
def test_an_incomplete_workspace_is_refused_with_the_command_that_completes_it(
    workspace: Path, run_cli: CliRunner, damage: Callable[[Path], None]
) -> None:
    damage(workspace)
    run = run_cli("models", "register", cwd=workspace)
    assert run.exit_code == 4
    assert re.search("run (`dvc pull` or )?`dvc repro`", run.err)
    assert ModelRegistry(workspace).list_models() == []

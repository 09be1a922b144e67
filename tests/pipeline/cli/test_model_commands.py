"""The commands of the registry, each started as a person starts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.registry import ModelRegistry
from pipeline.state import connect
from tests.fixtures.small_packages import write_small_package
from tests.pipeline.registry.test_model_registry import NAME, add

CONF = Path(__file__).parents[3] / "conf"
MODEL_OVERRIDES = (("model=logistic_regression",), ("model=naive_bayes",))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions that passed and one that did not; the first is in Production."""
    root = tmp_path_factory.mktemp("registered")
    files.write_text(root / "params.yaml", compose((), conf=CONF).text)
    (root / "dvc.yaml").touch()
    registry = ModelRegistry(root)
    for at, overrides in enumerate(MODEL_OVERRIDES):
        write_small_package(root / f"package_{at}", "personality", *overrides, n_rows=400)
        add(registry, root / f"package_{at}")
    write_small_package(
        root / "package_2", "personality", "model=logistic_regression", "model.estimator.C=0.5", n_rows=400
    )
    add(registry, root / "package_2", "fail")
    registry.promote_model(NAME, 1, "Production", reason="the first")
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "project")


def mlops(project: Path, *words: str, expect: int = 0) -> tuple[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "MLFLOW_", "DVC_"))}
    command = [str(Path(sys.executable).with_name("mlops")), *words]
    done = subprocess.run(command, cwd=project, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stderr
    return done.stdout, done.stderr


def test_versions_are_listed_shown_compared_and_told_apart(project: Path) -> None:
    assert mlops(project, "models", "list")[0].count("gates: promote") == 2
    assert [one["stage"] for one in json.loads(mlops(project, "models", "list", "--json")[0])] == [
        "Production",
        "None",
        "None",
    ]
    assert "## Gates" in mlops(project, "models", "show", "1")[0]
    assert json.loads(mlops(project, "models", "show", "1", "--lineage", "--json")[0])["commit"] is None
    assert [line.split()[0] for line in mlops(project, "models", "compare", "2", "1")[0].splitlines()] == [
        "version",
        "2",
        "1",
    ]
    assert "model: logistic_regression -> naive_bayes" in mlops(project, "models", "diff", "1", "2")[0]


def test_a_decision_is_made_taken_back_and_told(project: Path) -> None:
    assert "Production is version 2 (generation 2)" in mlops(project, "promote", "2", "--reason", "better")[0]
    assert json.loads(mlops(project, "rollback", "--json")[0])["generation"] == 3
    listed = mlops(project, "audit", "list")[0]
    assert [word in listed for word in ("(better)", "rollback personality_model version 1", "generation 3")] == [
        True
    ] * 3
    assert mlops(project, "audit", "verify")[0].strip() == "6 entries read"
    then = mlops(project, "audit", "--at", "2999-01-01")[0]
    assert "Production: version 1" in then
    assert mlops(project, "audit", "--at", "2001-01-01")[0] == "nothing served at 2001-01-01\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("promote", "3"), 5, "the verdict of its gates is reject: limit ece"),
        (("promote", "3", "--force"), 2, "force needs a reason"),
        (("promote", "2", "--expected-generation", "0"), 6, "generation 0 was expected"),
        (("promote", "9"), 2, "has no version 9; versions: 1, 2, 3"),
        (("promote", "2", "--stage", "Prod"), 2, "stage 'Prod' is none"),
        (("promote", "2", "--name", "other"), 2, "no such model; registered: personality_model"),
        (("rollback",), 2, "no version was in Production before version 1"),
        (("models", "reproduce", "1"), 2, "no commit has a dvc.lock that names its package"),
        (("audit", "--at", "yesterday"), 2, "accepted is ISO 8601"),
        (("audit",), 2, "mlops audit --at"),
    ],
)
def test_what_is_refused_says_why_with_its_exit_code(
    project: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in mlops(project, *words, expect=code)[1]
    assert len(ModelRegistry(project).history()) == 4


def test_a_changed_audit_trail_ends_with_code_8(project: Path) -> None:
    state = connect(project)
    with state.engine.connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_update")
        connection.exec_driver_sql("UPDATE audit SET reason = 'another' WHERE seq = 2")
    state.close()
    printed, told = mlops(project, "audit", "verify", expect=8)
    assert "entry 2: was changed after it was written" in printed
    assert "does not hold at 1 place;" in told

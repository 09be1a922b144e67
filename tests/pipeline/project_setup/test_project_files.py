"""The files of a new project, and the pin of its engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from pipeline.config.default_settings import engine_defaults
from pipeline.project.stage_digests import code_digests, engine_version
from pipeline.project_setup.project_files import config_text, engine_record_files, initial_files, pin_engine
from pipeline.project_setup.project_graph import graph_values
from tests.fixtures.toy_dataset import ROOT

_ACTION = re.compile(r"uses: (\S+)@(\S+) # (\S+)")


def test_no_placeholder_is_left() -> None:
    files = initial_files("churn")
    assert [path for path, text in files.items() if re.search(r"@[A-Z]+@", text)] == []
    assert files["README.md"].startswith("# churn\n")
    assert f"declarative-mlops[app]=={engine_version()}\n" in files["requirements.txt"]


@pytest.mark.parametrize("name", [".dvcignore", ".dvc/config", ".dvc/.gitignore"])
def test_settings_of_dvc_are_those_of_the_repository(name: str) -> None:
    assert initial_files("churn")[name] == (ROOT / name).read_text(encoding="utf-8")


def test_what_git_ignores_of_a_run_is_what_the_repository_ignores() -> None:
    def results(text: str) -> set[str]:
        return {line for line in text.splitlines() if line.startswith("/") and not line.startswith("/deploy")}

    assert results(initial_files("churn")[".gitignore"]) == results((ROOT / ".gitignore").read_text(encoding="utf-8"))


def test_the_workflow_pins_the_actions_of_the_repository() -> None:
    own = _ACTION.findall(initial_files("churn")[".github/workflows/pipeline.yml"])
    pinned = _ACTION.findall((ROOT / ".github/workflows/pipeline.yml").read_text(encoding="utf-8"))
    assert own
    assert set(own) <= set(pinned)


def test_the_workflow_has_no_rights_but_to_read() -> None:
    workflow = yaml.safe_load(initial_files("churn")[".github/workflows/pipeline.yml"])
    assert workflow["permissions"] == {}
    assert [job["permissions"] for job in workflow["jobs"].values()] == [{"contents": "read"}]


def test_the_workflow_fetches_rows_before_it_runs_the_graph() -> None:
    (job,) = yaml.safe_load(initial_files("churn")[".github/workflows/pipeline.yml"])["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    fetch = 'if [ -n "$(dvc remote list)" ]; then dvc pull --allow-missing; fi'
    assert commands.index(fetch) < commands.index("dvc repro")


def test_the_record_is_written_last_and_has_version_defaults_and_graph() -> None:
    files = engine_record_files()
    assert [Path(path).stem for path in files] == [*code_digests(), "engine"]
    record = json.loads(files["engine/engine.json"])
    assert record == {"version": engine_version(), "defaults": engine_defaults(), "graph": graph_values()}


def test_the_configuration_includes_that_of_the_engine_and_chooses_data_and_model() -> None:
    config = yaml.safe_load(config_text("churn"))
    assert config["hydra"] == {"searchpath": ["pkg://pipeline.conf"]}
    repository = yaml.safe_load((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))["defaults"]
    assert config["defaults"] == [
        {"data": "churn"} if entry == {"data": "personality"} else entry for entry in repository
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("declarative-mlops==0.0.1", "declarative-mlops=={}"),
        ("declarative-mlops[app, s3] == 0.0.1rc1  # ours", "declarative-mlops[app, s3] == {}  # ours"),
        ("declarative-mlops==0.0.1 ; python_version > '3'", "declarative-mlops=={} ; python_version > '3'"),
        ("Declarative_MLOps==0.0.1", "Declarative_MLOps=={}"),
        ("declarative-mlops>=0.0.1", None),
        ("other-declarative-mlops==0.0.1", None),
        ("# declarative-mlops==0.0.1", None),
    ],
)
def test_the_pin_changes_and_nothing_beside_it(line: str, expected: str | None) -> None:
    pinned = pin_engine(f"pandas==1\n{line}\n")
    assert pinned == (None if expected is None else f"pandas==1\n{expected.format(engine_version())}\n")

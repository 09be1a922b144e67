"""Upgrades of a project: what changes, what stays, and interruptions."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import state as store
from pipeline.errors import ConfigError, Conflict, IntegrityError, UsageError
from pipeline.project.stage_digests import check_engine, engine_version
from pipeline.project_setup import apply_upgrade, create_project, plan_upgrade, project_upgrade
from pipeline.state import schema_migration

_OLDER = "0.0.9"


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project on the running engine."""
    return create_project(tmp_path_factory.mktemp("upgrade") / "churn").folder


@pytest.fixture
def project(current: Path, tmp_path: Path) -> Path:
    """Return a project that an older engine made: another default, another stage module, another graph."""
    root = tmp_path / "churn"
    shutil.copytree(current, root)
    edit_record(root, lambda record: record.update(version=_OLDER))
    edit_record(root, lambda record: record["defaults"]["options"]["drift/default"].update({"drift.alpha": 0.5}))
    edit_record(root, lambda record: record["graph"]["stages"]["train"]["deps"].remove("data/source.json"))
    edit_graph(root, lambda stages: stages["train"]["deps"].remove("data/source.json"))
    (root / "engine" / "train.digest").write_text("sha256:0\n")
    requirements = root / "requirements.txt"
    requirements.write_text(requirements.read_text().replace(f"=={engine_version()}", f"=={_OLDER}"))
    return root


def edit_record(root: Path, edit: Any) -> None:
    path = root / "engine" / "engine.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def edit_graph(root: Path, edit: Any) -> None:
    path = root / "dvc.yaml"
    values = yaml.safe_load(path.read_text())
    edit(values["stages"])
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def texts(root: Path) -> dict[str, str]:
    """Return the text of each file of a project that git would track."""
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and ".git" not in path.parts)
    found = {path.relative_to(root).as_posix(): path for path in paths}
    return {name: path.read_text() for name, path in found.items() if not name.startswith((".dvc/tmp", "state"))}


def graph_of(root: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((root / "dvc.yaml").read_text())
    return values


def test_a_project_on_the_installed_engine_needs_nothing(current: Path) -> None:
    planned = plan_upgrade(current)
    assert planned.is_empty
    assert (planned.defaults, planned.reruns, planned.config_problem) == ((), (), None)


def test_an_upgrade_brings_files_graph_and_pin_to_the_engine(project: Path, current: Path) -> None:
    planned = plan_upgrade(project)
    assert (planned.before, planned.after) == (_OLDER, engine_version())
    assert [change.key for change in planned.defaults] == ["drift.alpha"]
    apply_upgrade(project, planned)
    check_engine(project)
    upgraded, expected = texts(project), texts(current)
    del upgraded["dvc.yaml"], expected["dvc.yaml"]
    assert upgraded == expected
    assert set(graph_of(project)["stages"]["train"]["deps"]) == set(graph_of(current)["stages"]["train"]["deps"])


def test_a_second_upgrade_changes_nothing(project: Path) -> None:
    apply_upgrade(project, plan_upgrade(project))
    assert plan_upgrade(project).is_empty


def test_a_plan_writes_nothing(project: Path) -> None:
    before = texts(project)
    plan_upgrade(project)
    assert texts(project) == before


@pytest.mark.parametrize("n_written", [0, 1, 3])
def test_after_an_interruption_a_second_call_completes_the_upgrade(
    project: Path, current: Path, monkeypatch: pytest.MonkeyPatch, n_written: int
) -> None:
    written: list[Path] = []
    write = project_upgrade.write_text

    def write_some(path: Path, text: str) -> None:
        if len(written) == n_written:
            raise KeyboardInterrupt
        written.append(path)
        write(path, text)

    planned = plan_upgrade(project)
    monkeypatch.setattr(project_upgrade, "write_text", write_some)
    with pytest.raises(KeyboardInterrupt):
        apply_upgrade(project, planned)
    monkeypatch.undo()
    planned_again = plan_upgrade(project)
    assert [change.key for change in planned_again.defaults] == ["drift.alpha"]
    apply_upgrade(project, planned_again)
    assert {name: text for name, text in texts(project).items() if name != "dvc.yaml"} == {
        name: text for name, text in texts(current).items() if name != "dvc.yaml"
    }


def test_own_stages_survive(project: Path) -> None:
    edit_graph(project, lambda stages: stages.update(mine={"cmd": "echo mine"}))
    apply_upgrade(project, plan_upgrade(project))
    assert graph_of(project)["stages"]["mine"] == {"cmd": "echo mine"}
    assert "data/source.json" in graph_of(project)["stages"]["train"]["deps"]


def test_an_edit_of_what_the_engine_changed_is_refused_and_nothing_is_written(project: Path) -> None:
    edit_record(project, lambda record: record["graph"]["stages"]["train"].update(cmd="python -m old.train"))
    edit_graph(project, lambda stages: stages["train"].update(cmd="nice python -m old.train"))
    before = texts(project)
    with pytest.raises(ConfigError, match=r"(?s)stages\.train\.cmd: you have .*nothing was changed"):
        plan_upgrade(project)
    assert texts(project) == before


@pytest.mark.parametrize("version", ["99.0.0", f"{engine_version()}.post1"])
def test_an_older_engine_than_that_of_the_project_is_refused(project: Path, version: str) -> None:
    edit_record(project, lambda record: record.update(version=version))
    with pytest.raises(Conflict, match=rf"engine {engine_version()} is older than the project's {version}; nothing"):
        plan_upgrade(project)


@pytest.mark.parametrize("text", [None, "pandas\n", "declarative-mlops>=0\n"])
def test_a_requirement_without_a_pin_is_left_and_reported(project: Path, text: str | None) -> None:
    requirements = project / "requirements.txt"
    requirements.unlink() if text is None else requirements.write_text(text)
    planned = plan_upgrade(project)
    assert planned.unpinned
    assert "requirements.txt" not in planned.texts


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("training:\n  extinct: 1\n", "conf/config.yaml: training.extinct: is not a key"),
        ("extinct: [\n", "config.yaml"),
    ],
)
def test_settings_that_the_engine_refuses_are_named_and_do_not_stop_an_upgrade(
    project: Path, line: str, problem: str
) -> None:
    with (project / "conf" / "config.yaml").open("a") as stream:
        stream.write(line)
    planned = plan_upgrade(project)
    assert planned.config_problem is not None
    assert problem in planned.config_problem
    apply_upgrade(project, planned)
    check_engine(project)


def test_a_folder_that_is_no_project_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"this folder is no project .*`mlops init FOLDER`"):
        plan_upgrade(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("engine/engine.json", b"{"),
        ("engine/engine.json", b'{"version": 2, "defaults": {"options": {}, "choices": {}}, "graph": {"stages": {}}}'),
        ("dvc.yaml", None),
        ("dvc.yaml", b"\xff"),
        ("dvc.lock", b"<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> main\n"),
        ("dvc.lock", b"- stages"),
    ],
)
def test_a_damaged_file_is_refused_with_the_way_back(project: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"git checkout HEAD -- {re.escape(name)}"):
        plan_upgrade(project)


def set_schema(root: Path, revision: str) -> None:
    """Write a state database whose schema has a version."""
    state = store.open_state(root)
    with state.writing() as connection:
        connection.exec_driver_sql("UPDATE mlops_schema SET version_num = ?", (revision,))
    state.close()


def test_a_database_of_a_newer_engine_is_refused(project: Path) -> None:
    set_schema(project, "9999")
    with pytest.raises(Conflict, match=r"schema version is 9999, newer than .*nothing was changed"):
        plan_upgrade(project)


_NEXT_REVISION = '''"""Add a table."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade() -> None:
    op.create_table("later", sa.Column("seq", sa.BigInteger(), primary_key=True))
'''


def test_an_older_database_is_migrated_after_a_backup(
    kind: str, address: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgresql":
        monkeypatch.setenv(store.STATE_URL_ENV, address)
    store.open_state(project).close()
    folder = tmp_path / "migrations"
    shutil.copytree(Path(schema_migration.__file__).with_name("migrations"), folder)
    (folder / "versions" / "m0002_next.py").write_text(_NEXT_REVISION)
    monkeypatch.setattr(schema_migration, "HEAD_REVISION", "0002")
    monkeypatch.setattr(schema_migration, "_MIGRATIONS", folder)
    planned = plan_upgrade(project)
    assert planned.schema == store.SchemaRevision("0001", "0002")
    backup = apply_upgrade(project, planned)
    assert backup is not None
    assert "mlops_schema" in backup.read_text(encoding="latin-1")
    assert plan_upgrade(project).is_empty
    with closing(store.connect_to_project(project)) as state, state.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM later").scalar() == 0


def test_a_current_database_needs_no_backup(project: Path) -> None:
    store.open_state(project).close()
    planned = plan_upgrade(project)
    assert planned.schema is not None
    assert planned.schema.is_current
    assert apply_upgrade(project, planned) is None
    assert not (project / "state" / "backups").exists()

"""New projects: whole or not at all, in new folders and in existing ones."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.config.params_file import check_params_fresh
from pipeline.errors import Conflict, DataError, DependencyUnavailable, UsageError
from pipeline.project.stage_digests import check_engine
from pipeline.project_setup import ProblemFile, create_project, project_creation
from pipeline.project_setup.project_files import initial_files

_EXAMPLE_FILES = {*initial_files("x"), "params.yaml"}


def files_below(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in paths}
    return {name for name in names if not name.startswith(".git/")}


def init_git(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "--quiet", "--template=", str(folder)], check=True)
    return folder


def rows_file(folder: Path) -> Path:
    """Write 400 rows whose class follows from one column."""
    lines = [f"{row % 7},{'abc'[row % 3]},{'yes' if row % 7 > 3 - row % 2 else 'no'}" for row in range(400)]
    path = folder / "churn.csv"
    path.write_text("\n".join(["calls,plan,churned", *lines]) + "\n")
    return path


def test_a_new_folder_has_the_example_problem_and_works_with_this_engine(tmp_path: Path) -> None:
    created = create_project(tmp_path / "deep" / "churn")
    assert created.draft is None
    assert files_below(created.folder) == _EXAMPLE_FILES
    assert (created.folder / ".git").is_dir()
    check_engine(created.folder)
    check_params_fresh(created.folder)


def test_nothing_of_the_preparation_stays_beside_a_project(tmp_path: Path) -> None:
    create_project(tmp_path / "churn")
    assert [path.name for path in tmp_path.iterdir()] == ["churn"]


@pytest.mark.usefixtures("starts_processes")
def test_a_file_of_rows_becomes_the_declared_problem(tmp_path: Path) -> None:
    created = create_project(tmp_path / "churn", ProblemFile(str(rows_file(tmp_path)), "churned"))
    assert created.draft is not None
    assert created.draft.features == ("calls", "plan")
    own = {"conf/data/churn.yaml", "data/external/churn.csv", "data/external/churn.csv.dvc"}
    assert own <= files_below(created.folder)
    assert yaml.safe_load((created.folder / "params.yaml").read_text())["data"]["name"] == "churn"
    check_params_fresh(created.folder)


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_that_cannot_be_declared_leaves_nothing(tmp_path: Path, is_new: bool) -> None:
    folder = tmp_path / "churn"
    if not is_new:
        folder.mkdir()
    with pytest.raises(DataError, match="no column"):
        create_project(folder, ProblemFile(str(rows_file(tmp_path)), "missing"))
    assert list(folder.iterdir()) == [] if folder.exists() else is_new


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("is_new", [True, False])
def test_a_message_about_rows_names_the_file_and_no_folder_of_the_preparation(tmp_path: Path, is_new: bool) -> None:
    folder = tmp_path / "churn"
    if not is_new:
        folder.mkdir()
    (tmp_path / "rows.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"^rows\.csv:2:1: rows: none .*\nrows\.csv: refused"):
        create_project(folder, ProblemFile(str(tmp_path / "rows.csv"), "b"))


@pytest.mark.parametrize("parent", ["/proc", "{}/file"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DependencyUnavailable, match=r"churn: cannot be written \((No such file|File exists)"):
        create_project(Path(parent.format(tmp_path)) / "churn")


@pytest.mark.parametrize("has_git", [True, False])
def test_an_existing_folder_keeps_its_files_and_its_repository(tmp_path: Path, has_git: bool) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    if has_git:
        init_git(folder)
        (folder / ".git" / "mine").touch()
    (folder / "LICENSE").write_text("ours")
    create_project(folder)
    assert files_below(folder) == {*_EXAMPLE_FILES, "LICENSE"}
    assert (folder / ".git" / "mine").exists() is has_git


@pytest.mark.parametrize("marker", ["dvc.yaml", ".dvc/config", "engine/engine.json", "conf/config.yaml"])
def test_a_project_is_refused_and_unchanged(tmp_path: Path, marker: str) -> None:
    (tmp_path / marker).parent.mkdir(exist_ok=True)
    (tmp_path / marker).touch()
    with pytest.raises(Conflict, match=r"is a project already .*run `mlops upgrade` in it"):
        create_project(tmp_path)
    assert files_below(tmp_path) == {marker}


@pytest.mark.parametrize(
    ("theirs", "start"),
    [("*.egg\n/models/\n", "*.egg\n/models/\n\n# Environment"), ("\xe9", "\xe9\n")],
)
def test_what_a_host_of_git_puts_into_a_new_repository_is_preserved(tmp_path: Path, theirs: str, start: str) -> None:
    folder = init_git(tmp_path / "clone")
    (folder / "README.md").write_text("ours")
    (folder / ".gitignore").write_text(theirs, encoding="latin-1")
    create_project(folder)
    lines = (folder / ".gitignore").read_text(encoding="latin-1")
    assert (folder / "README.md").read_text() == "ours"
    assert lines.startswith(start)
    assert {*initial_files("x")[".gitignore"].split("\n")} <= {*lines.split("\n")}
    assert lines.count("/models/") == 1


def test_a_link_in_place_of_an_ignore_file_is_not_written_through(tmp_path: Path) -> None:
    folder = init_git(tmp_path / "clone")
    (tmp_path / "global").write_text("*.log\n")
    (folder / ".gitignore").symlink_to(tmp_path / "global")
    with pytest.raises(Conflict, match=r"would overwrite \.gitignore"):
        create_project(folder)
    assert (tmp_path / "global").read_text() == "*.log\n"


@pytest.mark.parametrize("name", ["Makefile", ".github/workflows/pipeline.yml", "params.yaml"])
def test_a_file_that_would_be_overwritten_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(Conflict, match=rf"would overwrite {re.escape(name)}; nothing was written"):
        create_project(tmp_path)
    assert files_below(tmp_path) == {name}


def test_a_folder_inside_of_another_repository_is_refused(tmp_path: Path) -> None:
    repository = init_git(tmp_path / "mono")
    with pytest.raises(UsageError, match=r"is inside of the git repository .*mono; name a folder outside"):
        create_project(repository / "services" / "churn")
    assert not (repository / "services").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "churn").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        create_project(tmp_path / "churn")


@pytest.mark.parametrize("n_renames", [0, 1, 5, 100])
def test_a_call_after_an_interruption_completes_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_renames: int
) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "LICENSE").write_text("ours")
    real_put = project_creation._put_in_place

    def stop_midway(of: Path) -> None:
        for index, path in enumerate(project_creation._prepared_files(of)):
            if index == n_renames:
                raise KeyboardInterrupt
            (of / path).parent.mkdir(parents=True, exist_ok=True)
            (of / project_creation._PREPARED / "files" / path).replace(of / path)
        raise KeyboardInterrupt

    monkeypatch.setattr(project_creation, "_put_in_place", stop_midway)
    with pytest.raises(KeyboardInterrupt):
        create_project(folder)
    monkeypatch.setattr(project_creation, "_put_in_place", real_put)
    assert create_project(folder).is_resumed
    assert files_below(folder) == {*_EXAMPLE_FILES, "LICENSE"}
    assert (folder / ".git").is_dir()


def test_a_preparation_that_was_not_finished_starts_anew(tmp_path: Path) -> None:
    prepared = tmp_path / ".mlops-init" / "files"
    prepared.mkdir(parents=True)
    (prepared / "half").touch()
    assert not create_project(tmp_path).is_resumed
    assert files_below(tmp_path) == _EXAMPLE_FILES

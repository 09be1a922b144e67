import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.data.file_import import find_imported_file, import_file
from pipeline.errors import Conflict, DataError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def write_source_file(tmp_path: Path, text: str = "a,b\n1,2\n", name: str = "rows.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_file_is_copied_once(tmp_path: Path, root: Path) -> None:
    file = write_source_file(tmp_path)
    first, second = import_file(file, root=root), import_file(file, root=root)
    assert (first.path, first.status, second.status) == ("data/external/rows.csv", "added", "unchanged")
    assert (root / first.path).read_bytes() == file.read_bytes()
    assert [path.name for path in (root / "data/external").iterdir()] == ["rows.csv"]


def test_changed_content_is_refused_without_replace(tmp_path: Path, root: Path) -> None:
    import_file(write_source_file(tmp_path), root=root)
    changed = write_source_file(tmp_path, "a,b\n3,4\n")
    with pytest.raises(Conflict, match="--replace"):
        import_file(changed, root=root)
    assert (root / "data/external/rows.csv").read_text() == "a,b\n1,2\n"
    assert import_file(changed, root=root, replace=True).status == "replaced"
    assert (root / "data/external/rows.csv").read_text() == "a,b\n3,4\n"


def test_file_in_place_is_unchanged(root: Path) -> None:
    (root / "data/external").mkdir(parents=True)
    assert import_file(write_source_file(root / "data/external"), root=root).status == "unchanged"


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", ".csv", ".rows.csv", "ro${ws}.csv"])
def test_a_file_that_no_source_reads_is_refused(tmp_path: Path, root: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"sources read \.csv|rename the file"):
        import_file(write_source_file(tmp_path, name=name), root=root)


def test_absent_file_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        import_file(tmp_path / "nothing.csv", root=root)


def test_imported_file_is_found_by_path_name_and_source(tmp_path: Path, root: Path) -> None:
    file = write_source_file(tmp_path)
    import_file(file, root=root)
    for path in (file, Path("rows.csv"), root / "data/external/rows.csv"):
        assert find_imported_file(path, root=root) == "data/external/rows.csv"


def test_outdated_copy_is_refused(tmp_path: Path, root: Path) -> None:
    import_file(write_source_file(tmp_path), root=root)
    with pytest.raises(DataError, match=r"differs from .*--replace"):
        find_imported_file(write_source_file(tmp_path, "a,b\n3,4\n"), root=root)


def test_file_never_imported_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DataError, match="mlops data add"):
        find_imported_file(write_source_file(tmp_path), root=root)


@pytest.mark.usefixtures("starts_processes")
def test_dvc_project_gets_a_pointer_for_git(tmp_path: Path, root: Path) -> None:
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, check=True, env=os.environ | {"DVC_NO_ANALYTICS": "1"})
    added = import_file(write_source_file(tmp_path), root=root)
    assert added.pointer == "data/external/rows.csv.dvc"
    assert "path: rows.csv" in (root / added.pointer).read_text()
    assert (root / "data/external/.gitignore").read_text() == "/rows.csv\n"


@pytest.mark.parametrize("command", ["add", "init"])
def test_a_link_in_place_of_an_imported_file_is_refused_unread(tmp_path: Path, root: Path, command: str) -> None:
    file = write_source_file(tmp_path)
    (root / "data/external").mkdir(parents=True)
    (root / "data/external/rows.csv").symlink_to("/etc/passwd")
    with pytest.raises((Conflict, DataError), match=r"rows\.csv: is a link"):
        import_file(file, root=root, replace=True) if command == "add" else find_imported_file(file, root=root)

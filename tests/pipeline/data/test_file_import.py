import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.data.file_import import import_file, import_source
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


@pytest.mark.parametrize(
    "name", ["rows.doc", "rows", "rows.parquet.gz", ".csv", ".rows.csv", "ro${ws}.csv", "rows*.csv"]
)
def test_a_file_that_no_source_reads_is_refused(tmp_path: Path, root: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"no source reads this format|rename the file"):
        import_file(write_source_file(tmp_path, name=name), root=root)


@pytest.mark.parametrize("journal", ["rows.db-wal", "rows.db.wal"])
def test_a_database_with_changes_beside_its_file_is_refused(tmp_path: Path, root: Path, journal: str) -> None:
    file = write_source_file(tmp_path, name="rows.db")
    (tmp_path / journal).write_text("")
    import_file(file, root=root)
    (tmp_path / journal).write_text("changes")
    with pytest.raises(UsageError, match=rf"{journal} holds changes that are not in the file yet"):
        import_file(file, root=root)


def test_absent_file_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        import_file(tmp_path / "nothing.csv", root=root)


def test_a_source_is_imported_from_anywhere_and_found_by_path_or_name(tmp_path: Path, root: Path) -> None:
    file = write_source_file(tmp_path)
    for path in (file, Path("rows.csv"), root / "data/external/rows.csv"):
        assert import_source([path], root=root).path == "data/external/rows.csv"


def test_an_outdated_copy_is_refused(tmp_path: Path, root: Path) -> None:
    import_file(write_source_file(tmp_path), root=root)
    with pytest.raises(Conflict, match=r"other content than .*--replace"):
        import_source([write_source_file(tmp_path, "a,b\n3,4\n")], root=root)


def test_several_files_are_a_list_and_a_pattern_stays_one(tmp_path: Path, root: Path) -> None:
    names = ("sales-1.csv", "sales-2.csv", "sales [3].csv")
    files = [write_source_file(tmp_path, name=name) for name in names]
    below = tuple(f"data/external/{name}" for name in names)
    assert import_source(files, root=root).path == below
    source = import_source([tmp_path / "sales-*.csv"], root=root)
    assert (source.path, source.files) == ("data/external/sales-*.csv", below[:2])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nothing-*.csv"], "no file of rows matches"),
        (["a.csv", "b.json"], "several formats"),
        (["a.csv", "deep/a.csv"], "two of the files have one name"),
        (["*/a.csv"], "not in that of a folder"),
    ],
)
def test_files_that_are_no_source_are_refused(tmp_path: Path, root: Path, names: list[str], message: str) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.csv", "b.json", "deep/a.csv"):
        write_source_file(tmp_path, name=name)
    with pytest.raises(UsageError, match=message):
        import_source([tmp_path / name for name in names], root=root)


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
        import_file(file, root=root, replace=True) if command == "add" else import_source([file], root=root)

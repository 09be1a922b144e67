import os
from pathlib import Path

import pytest

from pipeline.config.groups.source_config import CsvSource
from pipeline.data.source_files import check_source_files, fingerprint_files, list_source_files
from pipeline.errors import DataError
from pipeline.files import sha256_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data/external"
    folder.mkdir(parents=True)
    for name in ("sales-2.csv", "sales-1.csv", "sales-[3].csv", "other.csv", ".sales-9.csv"):
        (folder / name).write_text("a\n1\n")
    (folder / "sales-1.csv.dvc").write_text("outs: []\n")
    return tmp_path


def source(*paths: str) -> CsvSource:
    return CsvSource(kind="csv", path=tuple(f"data/external/{path}" for path in paths))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["other.csv"], ["other.csv"]),
        (["other.csv", "sales-1.csv"], ["other.csv", "sales-1.csv"]),
        (["sales-*.csv"], ["sales-1.csv", "sales-2.csv", "sales-[3].csv"]),
        (["sales-[3].csv"], ["sales-[3].csv"]),
        (["*s-2.csv", "sales-*.csv"], ["sales-2.csv", "sales-1.csv", "sales-[3].csv"]),
    ],
)
def test_files_are_listed_in_the_declared_order(root: Path, paths: list[str], names: list[str]) -> None:
    assert list_source_files(source(*paths), root=root) == [f"data/external/{name}" for name in names]


def test_the_fingerprint_has_each_file(root: Path) -> None:
    digest = sha256_file(root / "data/external/sales-2.csv")
    assert fingerprint_files(source("*-2.csv"), root=root) == {"data/external/sales-2.csv": digest}


@pytest.mark.parametrize("list_or_check", [list_source_files, check_source_files])
@pytest.mark.parametrize("path", ["nothing.csv", "nothing-*.csv", "no/such/*.csv"])
def test_a_path_without_a_file_names_the_command(root: Path, list_or_check: object, path: str) -> None:
    assert callable(list_or_check)
    with pytest.raises(DataError, match=r"data\.source\.path: .*mlops data add"):
        list_or_check(source(path), root=root)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, Path.mkdir])
@pytest.mark.parametrize("list_or_check", [list_source_files, check_source_files])
def test_a_pattern_does_not_follow_links_or_open_devices(root: Path, make: object, list_or_check: object) -> None:
    assert callable(make)
    assert callable(list_or_check)
    make(root / "data/external/sales-0.csv")
    with pytest.raises(DataError, match=r"^data/external/sales-0\.csv: is a "):
        list_or_check(source("sales-*.csv"), root=root)


def test_files_that_dvc_will_pull_are_accepted_unread(root: Path) -> None:
    (root / "data/external/sales-1.csv").unlink()
    check_source_files(source("sales-1*.csv"), root=root)
    check_source_files(source("sales-1.csv"), root=root)
    with pytest.raises(DataError, match="no file matches"):
        list_source_files(source("sales-1*.csv"), root=root)

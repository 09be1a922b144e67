"""An address names the files of rows: one, those of a folder, or those of a pattern."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import DataError, UsageError
from pipeline.parts import (
    SourceFile,
    find_source_files,
    require_outside,
    require_unchanged,
    run_parts,
    unchanged_source,
)
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import RowSums, row_plan

if TYPE_CHECKING:
    from pathlib import Path


def found(address: Path | str) -> list[str]:
    return [path.name for path in find_source_files([StoragePath.parse(address)])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "_hidden.csv", ".c.csv", "note.txt", "d.csv.dvc"):
        (tmp_path / name).write_text("x\n1\n", encoding="utf-8")
    return tmp_path


def test_a_folder_gives_its_sorted_files_of_rows(folder: Path) -> None:
    assert found(folder) == found(folder / "*.csv") == ["a.csv", "b.csv"]
    assert found(folder / "a*") == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.csv", "no such file or folder"), ("*.parquet", "no file matches"), ("empty", "has no file that ends with")],
)
def test_an_address_without_files_is_refused(folder: Path, name: str, message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        found(folder / name)


def test_two_formats_in_a_folder_are_refused(folder: Path) -> None:
    (folder / "rows.parquet").touch()
    with pytest.raises(DataError, match=r"has files of several formats \(\.csv, \.parquet\)"):
        found(folder)


@pytest.mark.parametrize("second", ["a.csv", "*.csv", "", "./a.csv"])
def test_a_file_that_two_inputs_name_is_refused(folder: Path, second: str) -> None:
    addresses = [StoragePath.parse(folder / "a.csv"), StoragePath.parse(f"{folder}/{second}")]
    with pytest.raises(DataError, match=r"a\.csv: is the same file as"):
        find_source_files(addresses)


@pytest.mark.parametrize(("name", "target"), [("c.csv", "a.csv"), ("sub", ".")])
def test_a_link_to_a_file_that_is_read_is_refused(folder: Path, name: str, target: str) -> None:
    (folder / name).symlink_to(target)
    with pytest.raises(DataError, match="is the same file as"):
        found(folder)


@pytest.mark.parametrize("pattern", ["", "*.csv"])
def test_a_link_to_nothing_is_not_left_out(folder: Path, pattern: str) -> None:
    (folder / "c.csv").symlink_to("none.csv")
    assert "c.csv" in found(f"{folder}/{pattern}")


def test_an_output_in_a_linked_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(UsageError, match="another run would read its own output"):
        require_outside(StoragePath.parse(tmp_path / "real/out"), [StoragePath.parse(tmp_path / "link")])


@pytest.mark.parametrize("name", ["c.CSV", "c.Parquet"])
def test_a_name_with_capitals_is_not_left_out(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(DataError, match="has files of several formats"):
        found(folder)


def test_a_changed_file_is_refused(folder: Path) -> None:
    path = StoragePath.parse(folder / "a.csv")
    source = SourceFile(str(path), path.version(), path.n_bytes(), (1,))
    assert require_unchanged(source) == path
    path.write_bytes(b"x\n1\n2\n")
    with pytest.raises(DataError, match="changed since the job was planned"):
        require_unchanged(source)
    path.remove()
    with pytest.raises(DataError, match="no such file; it was there when the job was planned"):
        require_unchanged(source)


def test_a_file_of_equal_size_is_compared_by_content_when_it_was_written_since(folder: Path) -> None:
    path = StoragePath.parse(folder / "a.csv")
    source = SourceFile(str(path), path.version(), path.n_bytes(), (1,), path.local.stat().st_mtime_ns)
    os.utime(path.local, ns=(1, 1))
    assert require_unchanged(source) == path
    path.write_bytes(b"x\n2\n")
    with pytest.raises(DataError, match="changed since the job was planned"):
        require_unchanged(source)


def test_a_local_file_that_is_replaced_while_a_part_reads_it_is_refused(folder: Path) -> None:
    path = StoragePath.parse(folder / "a.csv")
    source = SourceFile(str(path), path.version(), path.n_bytes(), (1,), path.local.stat().st_mtime_ns)
    with (
        pytest.raises(DataError, match="changed since the job was planned"),
        unchanged_source(source),
    ):
        path.write_bytes(b"x\n1\n2\n")


@pytest.mark.parametrize("name", ["with blanks.csv", "star*.csv", "[a].csv", "what?.csv"])
def test_a_name_is_found_as_it_is(name: str, tmp_path: Path) -> None:
    names = (name, "a.csv", "starts.csv", "whats.csv")
    for each in names:
        (tmp_path / each).touch()
    assert found(tmp_path / name) == [name]
    assert found(tmp_path / f"{name[:3]}*") == sorted(each for each in names if each.startswith(name[:3]))


@pytest.mark.parametrize("address", ["in", "in/a.csv", "in/*.csv", "in/out", "in/out/part.parquet", "./other/../in"])
def test_an_output_among_the_inputs_is_refused(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    output = StoragePath.parse("in" if address in ("in/a.csv", "in/*.csv") else "in/out")
    with pytest.raises(UsageError, match="another run would read its own output"):
        require_outside(output, [StoragePath.parse(address)])


@pytest.mark.parametrize("address", ["in", "input", "in/a.csv", "s3://rows/input/out"])
def test_an_output_beside_the_inputs_is_accepted(address: str) -> None:
    require_outside(StoragePath.parse("input-out"), [StoragePath.parse(address)])


def test_of_a_committed_output_only_named_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    output = StoragePath.parse(tmp_path / "out")
    with open_engine(LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=3)) as engine:
        run_parts(RowSums(tmp_path / "runs"), row_plan(), output, engine)
    (output / "part-000000-00000000.csv").write_bytes(b"x\n")
    with pytest.raises(DataError, match="has no file that ends with"):
        found(str(output))
    (tmp_path / "rows.csv").touch()
    assert found(tmp_path) == ["rows.csv"]
    (output / "_manifest.json").remove()
    for address in (tmp_path, output):
        with pytest.raises(DataError, match="out: has the parts of a job that is not committed"):
            found(str(address))

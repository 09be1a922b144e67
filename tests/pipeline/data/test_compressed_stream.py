import gzip
import zipfile
from pathlib import Path

import pytest

from pipeline.data import compressed_stream
from pipeline.data.compressed_stream import max_expanded_bytes, open_rows_stream
from pipeline.errors import DataError
from tests.pipeline.data.formats.row_files import WRITERS, write_rows

COMPRESSED = [name for name in WRITERS if name.count(".") == 2]


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_that_ends_early_is_refused(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / name, [{"a": number * 7919 % 10_007} for number in range(500)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"{name}: is no complete {path.suffix} file.*get the file again"):
        open_rows_stream(path).read()


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_that_grows_without_bounds_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed_stream, "_ALWAYS_ACCEPTED_BYTES", 1 << 20)
    path = write_rows(tmp_path / name, [{"a": "0" * 10_000_000}])
    with (
        pytest.raises(DataError, match=f"{name}: grows to more than 200 times its size"),
        open_rows_stream(path) as rows,
    ):
        while rows.read(1 << 16):
            pass


def test_the_bound_follows_the_size() -> None:
    assert (max_expanded_bytes(10), max_expanded_bytes(10**9)) == (1 << 30, 200 * 10**9)


def test_members_of_a_gzip_file_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"1\n"))
    assert open_rows_stream(path).read() == b"a\n1\n"


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
def test_an_archive_of_several_files_is_refused(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "rows.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "a\n1\n")
    with pytest.raises(DataError, match=f"holds {len(names)} files; expected one"):
        open_rows_stream(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv\.gz: cannot be read"):
        open_rows_stream(tmp_path / "rows.csv.gz")

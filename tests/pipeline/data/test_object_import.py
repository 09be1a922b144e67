"""Objects become files below data/external/, as local files do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.data.object_import import import_named_files, local_names
from pipeline.errors import Conflict, DataError
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rows(s3_bucket: str) -> str:
    for name in ("sales 1.csv", "sales 2.csv"):
        (StoragePath.parse(s3_bucket) / name).write_bytes(b"a,b\n1,2\n")
    return s3_bucket


def test_objects_and_files_are_imported_in_order(rows: str, tmp_path: Path) -> None:
    (tmp_path / "local.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    imported = import_named_files([str(tmp_path / "local.csv"), f"{rows}/sales*.csv"], root=tmp_path)
    assert [file.path for file in imported] == [
        f"data/external/{name}" for name in ("local.csv", "sales 1.csv", "sales 2.csv")
    ]
    assert (tmp_path / "data/external/sales 2.csv").read_bytes() == b"a,b\n1,2\n"


def test_an_object_with_other_content_is_refused_by_its_address(rows: str, tmp_path: Path) -> None:
    address = f"{rows}/sales 1.csv"
    import_named_files([address], root=tmp_path)
    StoragePath.parse(address).write_bytes(b"a,b\n3,4\n")
    with pytest.raises(Conflict, match=f"exists with other content than {address}; update it with `mlops data add"):
        import_named_files([address], root=tmp_path)
    assert import_named_files([address], root=tmp_path, replace=True)[0].status == "replaced"


def test_names_become_local_paths(rows: str, tmp_path: Path) -> None:
    assert local_names([f"{rows}/sales 1.csv", "some/file.csv"], root=tmp_path) == [
        tmp_path / "data/external/sales 1.csv",
        tmp_path.__class__("some/file.csv"),
    ]


def test_an_absent_object_is_named(rows: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such object"):
        import_named_files([f"{rows}/none.csv"], root=tmp_path)

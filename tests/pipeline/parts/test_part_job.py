"""Each attempt at a part writes files of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.files import sha256
from pipeline.parts import PartOutput
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path


def test_two_attempts_write_two_files_of_equal_content(tmp_path: Path) -> None:
    files = []
    for _ in range(2):
        output = PartOutput(StoragePath.parse(tmp_path), 7)
        with output.writing(".txt") as path:
            path.write_text("rows", encoding="utf-8")
        files += output.files
    assert [(file.n_bytes, file.sha256) for file in files] == [(4, sha256(b"rows"))] * 2
    assert {path.name for path in tmp_path.iterdir()} == {file.name for file in files}
    assert all(file.name.startswith("part-000007-") for file in files)


def test_a_file_that_failed_is_not_listed(tmp_path: Path) -> None:
    output = PartOutput(StoragePath.parse(tmp_path), 0)
    with pytest.raises(RuntimeError, match="half way"), output.writing(".txt"):
        raise RuntimeError("half way")
    assert output.files == ()
    assert not list(tmp_path.iterdir())

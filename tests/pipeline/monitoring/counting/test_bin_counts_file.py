"""Counts are read as they were written, and only with the package that has their bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError, UsageError
from pipeline.monitoring.counting import read_counts
from pipeline.monitoring.counting.bin_counts_file import write_counts
from pipeline.monitoring.log import reference_counts
from pipeline.storage import StoragePath
from tests.pipeline.monitoring.log_fixtures import plain_counts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.monitoring.counting.counted_files import Counted


def test_counts_are_read_from_their_file_and_from_its_folder(counted: Counted, tmp_path: Path) -> None:
    counts, package = reference_counts(counted.package.reference), counted.package
    path = StoragePath.parse(tmp_path / "out/counts.json")
    write_counts(counts, path, package_digest=package.digest)
    for address in (path, path.parent):
        again = read_counts(address, package)
        assert (again.n_rows, plain_counts(again)) == (counts.n_rows, plain_counts(counts))


def test_counts_in_the_bins_of_another_package_are_refused(counted: Counted, tmp_path: Path) -> None:
    path = StoragePath.parse(tmp_path / "counts.json")
    write_counts(reference_counts(counted.package.reference), path, package_digest="0" * 64)
    with pytest.raises(UsageError, match="has counts in the bins of package 000000000000, expected"):
        read_counts(path, counted.package)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"package": "x", "n_rows": 1, "features": 3}'])
def test_a_file_without_counts_is_named(counted: Counted, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"counts\.json: (no such file|has no counts)"):
        read_counts(StoragePath.parse(path), counted.package)

"""A store that cannot be reached is named with the address and the next step."""

from __future__ import annotations

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.storage import StoragePath, object_stores
from pipeline.storage.object_stores import explained_store_errors


def test_a_missing_bucket_names_the_address(s3_bucket: str) -> None:
    path = StoragePath.parse(f"{s3_bucket}-absent/rows.csv")
    with pytest.raises(DependencyUnavailable, match=rf"{path}: the store is unavailable \(.*\); check its address"):
        path.write_bytes(b"rows")


def test_azure_needs_the_name_of_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    object_stores.file_system.cache_clear()
    for name in ("CONNECTION_STRING", "ACCOUNT_NAME", "ACCOUNT"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    with pytest.raises(DependencyUnavailable, match="AZURE_STORAGE_ACCOUNT_NAME is not set"):
        StoragePath.parse("az://container/rows.csv").exists()


def test_an_absent_file_is_no_error_of_the_store() -> None:
    with pytest.raises(FileNotFoundError), explained_store_errors("s3://bucket/a"):
        raise FileNotFoundError

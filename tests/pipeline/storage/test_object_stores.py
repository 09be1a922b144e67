"""A store that cannot be reached is named with the address and the next step."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.storage import StoragePath, object_stores
from pipeline.storage.object_stores import explained_store_errors

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_profile_has_the_credentials(s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = team\naws_secret_access_key = team\n",  # pragma: allowlist secret
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    object_stores.file_system.cache_clear()
    object_stores.object_store.cache_clear()
    path = StoragePath.parse(s3_bucket) / "rows.csv"
    path.write_bytes(b"rows")
    assert path.read_bytes() == b"rows"


@pytest.mark.parametrize(
    ("profile", "region", "message"),
    [
        (None, "us-east-1", "this machine has no credentials; set AWS_ACCESS_KEY_ID"),
        ("absent", "us-east-1", "this machine has no credentials; set AWS_ACCESS_KEY_ID"),
        ("absent", "", r"AWS_PROFILE: .*\(absent\) could not be found"),
    ],
)
def test_missing_credentials_are_named(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, profile: str | None, region: str, message: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    values = {"AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_CONFIG_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}
    values |= {"AWS_DEFAULT_REGION": region} | ({} if profile is None else {"AWS_PROFILE": profile})
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    object_stores.object_store.cache_clear()
    with pytest.raises(DependencyUnavailable, match=message):
        StoragePath.parse(f"{s3_bucket}/rows.csv").version()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    object_stores.object_store.cache_clear()
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    for scheme, extra in (("s3", "s3"), ("gs", "gcs"), ("az", "azure")):
        with pytest.raises(DependencyUnavailable, match=rf"^{scheme}://bucket: .*declarative-mlops\[{extra}\]"):
            StoragePath.parse(f"{scheme}://bucket/rows.csv").write_bytes(b"rows")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("GET https://host/a?sig=hidden&se=1 failed", "GET https://host/a failed"),
        ("403 Forbidden: <?xml ?><Error><Code>AccessDenied</Code><Key>hidden</Key>", "403 Forbidden: AccessDenied"),
        ("first line\nhidden line", "first line"),
        ("GET http://me:hidden@host:9000/a failed", "GET http://host:9000/a failed"),  # pragma: allowlist secret
    ],
)
def test_the_reason_of_a_store_shows_no_token(message: str, shown: str) -> None:
    with (
        pytest.raises(DependencyUnavailable, match=re.escape(f"({shown})")) as caught,
        explained_store_errors("s3://b"),
    ):
        raise OSError(message)
    assert "hidden" not in str(caught.value)

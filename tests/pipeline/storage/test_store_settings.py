"""The variables of each store's own clients say where it is and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.storage.store_settings import azure_settings, gcs_emulator, s3_settings

if TYPE_CHECKING:
    from pathlib import Path

_VARIABLES = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_CA_BUNDLE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "STORAGE_EMULATOR_HOST",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_ENDPOINT",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without a store, and without the profiles of this user."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "endpoint", "scheme", "host"),
    [
        ({}, "", "", ""),
        ({"AWS_ENDPOINT_URL": "http://host:9000/"}, "http://host:9000", "http", "host:9000"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "https://b/s3"}, "https://b/s3", "https", "b/s3"),
    ],
)
def test_the_endpoint_of_s3_is_that_of_the_service_first(
    environment: pytest.MonkeyPatch, variables: dict[str, str], endpoint: str, scheme: str, host: str
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    found = s3_settings()
    assert (found.endpoint, found.endpoint_scheme, found.endpoint_host) == (endpoint, scheme, host)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_PROFILE": "team"}, "sa-east-1"),
    ],
)
def test_the_region_is_that_of_the_environment_or_the_profile(
    environment: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], region: str
) -> None:
    (tmp_path / "config").write_text("[profile team]\nregion = sa-east-1\n", encoding="utf-8")
    for name, value in variables.items():
        environment.setenv(name, value)
    assert s3_settings().region == region


def test_a_profile_is_asked_only_without_a_key(environment: pytest.MonkeyPatch) -> None:
    assert s3_settings().needs_profile
    environment.setenv("AWS_ACCESS_KEY_ID", "key")
    assert not s3_settings().needs_profile


@pytest.mark.parametrize(("value", "is_virtual"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_buckets_are_in_the_path_unless_declared(
    environment: pytest.MonkeyPatch, value: str, *, is_virtual: bool
) -> None:
    environment.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", value)
    assert s3_settings().has_virtual_hosts is is_virtual


@pytest.mark.parametrize(
    ("value", "address"), [("", ""), ("host:9000", "http://host:9000"), ("https://host/", "https://host")]
)
def test_an_emulator_of_google_has_an_address(environment: pytest.MonkeyPatch, value: str, address: str) -> None:
    environment.setenv("STORAGE_EMULATOR_HOST", value)
    assert gcs_emulator() == address


_KEY = "a2V5Cg=="  # pragma: allowlist secret
_CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=rows;AccountKey={_KEY};"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AZURE_STORAGE_ACCOUNT": "rows", "AZURE_STORAGE_KEY": _KEY}, ("rows", _KEY, None, "")),
        ({"AZURE_STORAGE_ACCOUNT_NAME": "rows", "AZURE_STORAGE_SAS_TOKEN": "?sv=1"}, ("rows", None, "sv=1", "")),
        ({"AZURE_STORAGE_CONNECTION_STRING": _CONNECTION}, ("rows", _KEY, None, "")),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": f"{_CONNECTION}EndpointSuffix=core.usgovcloudapi.net"},
            ("rows", _KEY, None, "https://rows.blob.core.usgovcloudapi.net"),
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": f"{_CONNECTION}BlobEndpoint=http://host:1/rows;"},
            ("rows", _KEY, None, "http://host:1/rows"),
        ),
    ],
)
def test_a_storage_account_is_named_by_the_variables_of_its_clients(
    environment: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[str, str | None, str | None, str]
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    found = azure_settings()
    assert (found.account, found.key, found.sas_token, found.endpoint) == expected
    assert _KEY not in repr(found)

"""Read where object stores are, and who asks, from the variables that their own clients read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlsplit

from pipeline.errors import DependencyUnavailable

__all__ = ["AzureSettings", "S3Settings", "azure_settings", "gcs_emulator", "s3_settings"]

_DEFAULT_REGION = "us-east-1"
_AZURE_SUFFIX = "core.windows.net"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where a store of the protocol of S3 is.

    Attributes
    ----------
    endpoint : str
        Address of a store that is not Amazon's; empty for Amazon's own.
    region : str
    has_virtual_hosts : bool
        Whether the bucket is part of the name of the host, and not of the path.
    ca_file : str or None
        Certificates to trust, as PEM.
    needs_profile : bool
        Whether the credentials are those of a profile or role, which boto3 finds.
    """

    endpoint: str
    region: str
    has_virtual_hosts: bool
    ca_file: str | None
    needs_profile: bool

    @property
    def endpoint_scheme(self) -> str:
        """`http` or `https`; empty without an endpoint."""
        return urlsplit(self.endpoint).scheme

    @property
    def endpoint_host(self) -> str:
        """Host, port and path of the endpoint; empty without one."""
        parts = urlsplit(self.endpoint)
        return f"{parts.netloc}{parts.path}"


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """Where a storage account is; without key and token the identity of the process signs in."""

    account: str
    key: str | None = field(repr=False)
    sas_token: str | None = field(repr=False)
    endpoint: str


def s3_settings() -> S3Settings:
    """Return the settings of S3, as the AWS command line reads them.

    Raises
    ------
    DependencyUnavailable
        When the profile does not exist.
    """
    endpoint = _first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    region = _first("AWS_REGION", "AWS_DEFAULT_REGION")
    needs_profile = not _first("AWS_ACCESS_KEY_ID") and find_spec("boto3") is not None
    if not region and needs_profile:
        region = _profile_region()
    return S3Settings(
        endpoint=endpoint.rstrip("/"),
        region=region or _DEFAULT_REGION,
        # A store of one's own has its buckets in the path unless this variable of obstore says otherwise.
        has_virtual_hosts=_first("AWS_VIRTUAL_HOSTED_STYLE_REQUEST").lower() in {"1", "true"},
        ca_file=_first("AWS_CA_BUNDLE") or None,
        needs_profile=needs_profile,
    )


def _profile_region() -> str:
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.Session().region_name or ""
    except ProfileNotFound as error:
        raise DependencyUnavailable(f"AWS_PROFILE: {error}; correct the variable or ~/.aws/config") from error


def gcs_emulator() -> str:
    """Return the address of an emulator of Google Cloud Storage; empty for Google's own."""
    emulator = _first("STORAGE_EMULATOR_HOST").rstrip("/")
    return emulator if "://" in emulator or not emulator else f"http://{emulator}"


def azure_settings() -> AzureSettings:
    """Return the settings of a storage account; a connection string has precedence.

    Raises
    ------
    DependencyUnavailable
        When no variable names the account.
    """
    parts = (part.partition("=") for part in _first("AZURE_STORAGE_CONNECTION_STRING").split(";"))
    connection = {name.strip(): value.strip() for name, _, value in parts}
    account = connection.get("AccountName") or _first("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
    if not account:
        raise DependencyUnavailable(
            "az://: the environment variable AZURE_STORAGE_ACCOUNT_NAME is not set; set it, or"
            " AZURE_STORAGE_CONNECTION_STRING"
        )
    endpoint = connection.get("BlobEndpoint") or _first("AZURE_STORAGE_ENDPOINT")
    suffix = connection.get("EndpointSuffix", _AZURE_SUFFIX)
    if not endpoint and suffix != _AZURE_SUFFIX:
        endpoint = f"https://{account}.blob.{suffix}"
    token = connection.get("SharedAccessSignature") or _first("AZURE_STORAGE_SAS_TOKEN")
    return AzureSettings(
        account=account,
        key=connection.get("AccountKey") or _first("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY") or None,
        sas_token=token.removeprefix("?") or None,
        endpoint=endpoint.rstrip("/"),
    )


def _first(*names: str) -> str:
    """Return the value of the first variable that is set; empty where none is."""
    return next((value for name in names if (value := os.environ.get(name))), "")

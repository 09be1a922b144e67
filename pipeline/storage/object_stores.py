"""Connect to object stores: the environment has the credentials, an address never has."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable
from pipeline.lookup import LookupTable
from pipeline.storage import store_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FILE_SYSTEMS", "explained_store_errors", "file_system", "is_store_report", "object_store"]

FILE_SYSTEMS: LookupTable[Callable[[], Any]] = LookupTable("scheme")
_EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure"}
# What follows a URL in an error may be a token; a body of XML or JSON repeats the request.
_QUERY = re.compile(r"\?\S*")
# An endpoint may have a user and a password.
_USER = re.compile(r"://[^/\s]*@")
_BODY = re.compile(r":?\s*[<{].*")
# Arrow raises OSError for a store that fails and for content that is damaged.
_STORE_REPORT = re.compile(r"AWS Error|google::cloud|Azure|curlCode|HTTP")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")


@lru_cache
def file_system(scheme: str) -> Any:
    """Return the Arrow file system of a scheme; it lists, reads at any position, and removes."""
    return FILE_SYSTEMS[scheme]()


@FILE_SYSTEMS.add("s3")
def _open_s3() -> Any:
    from pyarrow.fs import S3FileSystem

    settings = store_settings.s3_settings()
    return S3FileSystem(
        region=settings.region,
        endpoint_override=settings.endpoint_host or None,
        scheme=settings.endpoint_scheme or None,
        force_virtual_addressing=settings.has_virtual_hosts,
        tls_ca_file_path=settings.ca_file,
    )


@FILE_SYSTEMS.add("gs")
def _open_gcs() -> Any:
    from pyarrow.fs import GcsFileSystem

    emulator = store_settings.gcs_emulator()
    if not emulator:
        return GcsFileSystem()
    scheme, _, host = emulator.partition("://")
    return GcsFileSystem(anonymous=True, endpoint_override=host, scheme=scheme)


@FILE_SYSTEMS.add("az")
def _open_azure() -> Any:
    from pyarrow.fs import AzureFileSystem

    settings = store_settings.azure_settings()
    keys: dict[str, Any] = {}
    if settings.endpoint:
        scheme, _, rest = settings.endpoint.partition("://")
        # An authority with a dot in front gets the name of the account in front of it, another one behind it.
        authority = rest.partition("/")[0].removeprefix(settings.account)
        keys |= {"blob_storage_authority": authority, "blob_storage_scheme": scheme}
        keys |= {"dfs_storage_authority": authority.replace(".blob.", ".dfs.", 1), "dfs_storage_scheme": scheme}
    return AzureFileSystem(settings.account, account_key=settings.key, sas_token=settings.sas_token, **keys)


@lru_cache
def object_store(scheme: str, bucket: str) -> Any:
    """Return the store of a bucket that writes an object as a whole or on condition, and knows its version.

    Arrow's file systems do neither: a write to Azure that breaks leaves an empty object under the final name.

    Raises
    ------
    DependencyUnavailable
        When the extra of the store is not installed, or a variable or the credentials are missing.
    """
    try:
        from obstore.store import from_url
    except ImportError as error:
        extra = _EXTRAS[scheme]
        raise DependencyUnavailable(
            f"{scheme}://{bucket}: the package obstore is not installed; run `pip install 'declarative-mlops[{extra}]'`"
        ) from error
    options: dict[str, Any] = {"s3": _s3_options, "gs": _gcs_options, "az": _azure_options}[scheme]()
    return from_url(f"{scheme}://{bucket}", **options)


def _s3_options() -> dict[str, Any]:
    settings = store_settings.s3_settings()
    options: dict[str, Any] = {
        "region": settings.region,
        "virtual_hosted_style_request": settings.has_virtual_hosts,
        "client_options": _client_options(settings.endpoint, settings.ca_file),
    }
    if settings.endpoint:
        options["endpoint"] = settings.endpoint
    if settings.needs_profile:
        options["credential_provider"] = _profile_credentials()
    return options


def _profile_credentials() -> Any:
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as error:
        raise DependencyUnavailable(
            "s3://: this machine has no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE,"
            " here and on each worker"
        ) from error


def _gcs_options() -> dict[str, Any]:
    emulator = store_settings.gcs_emulator()
    if not emulator:
        return {}
    # An emulator takes any token; without one obstore asks the metadata server of the machine.
    return {"base_url": emulator, "bearer_token": "emulator", "client_options": _client_options(emulator, None)}


def _azure_options() -> dict[str, Any]:
    settings = store_settings.azure_settings()
    options: dict[str, Any] = {
        "account_name": settings.account,
        "account_key": settings.key,
        "sas_token": settings.sas_token,
        "endpoint": settings.endpoint or None,
        "client_options": _client_options(settings.endpoint, None),
    }
    return {key: value for key, value in options.items() if value is not None}


def _client_options(endpoint: str, ca_file: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"allow_http": endpoint.startswith("http://")}
    if ca_file is not None:
        with open(ca_file, "rb") as stream:  # noqa: PTH123 - the value of a variable
            options["root_certificate"] = stream.read()
    return options


@contextmanager
def explained_store_errors(address: str, *, is_write: bool = False) -> Iterator[None]:
    """Turn an error of a store into one of this project that names the address and holds no token.

    Raises
    ------
    FileNotFoundError
        When there is nothing to read at the address.
    DependencyUnavailable
        When the store is unavailable or refuses, or there is no bucket to write to.
    """
    try:
        yield
    except Exception as error:
        is_absent = isinstance(error, FileNotFoundError)
        if is_absent and not is_write:
            raise FileNotFoundError(f"{address}: no such file or bucket") from None
        if not isinstance(error, OSError) and not type(error).__module__.startswith("obstore"):
            raise
        reason = "no such bucket or folder" if is_absent else _reason(error)
        remedy = "its address and the credentials in the environment" if "://" in address else "its path and its rights"
        raise DependencyUnavailable(f"{address}: the store is unavailable ({reason}); check {remedy}") from None


def is_store_report(error: Exception) -> bool:
    """Return whether an error of an Arrow reader is what a store reported; others are of the content."""
    return isinstance(error, OSError) and _STORE_REPORT.search(str(error)) is not None


def _reason(error: Exception) -> str:
    text = str(error)
    line = _BODY.sub("", _QUERY.sub("", text.partition("\n")[0])).strip()
    code = _CODE.search(text)
    line = _USER.sub("://", line)
    return line if code is None else f"{line}: {code[1]}"

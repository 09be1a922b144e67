"""Connect to object stores: the environment has the credentials, an address never has."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import DependencyUnavailable
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FILE_SYSTEMS", "conditional_store", "explained_store_errors", "file_system"]

FILE_SYSTEMS: LookupTable[Callable[[], Any]] = LookupTable("scheme")
_EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure"}


@lru_cache
def file_system(scheme: str) -> Any:
    """Return the Arrow file system of a scheme; it reads and writes the bytes of objects."""
    return FILE_SYSTEMS[scheme]()


@FILE_SYSTEMS.add("s3")
def _open_s3() -> Any:
    from pyarrow.fs import S3FileSystem

    endpoint = urlsplit(_s3_endpoint())
    return S3FileSystem(
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        endpoint_override=endpoint.netloc + endpoint.path or None,
        scheme=endpoint.scheme or None,
        allow_delayed_open=True,  # a small object is one request
    )


def _s3_endpoint() -> str:
    """Return the address of a store that speaks the protocol of S3; empty for Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


@FILE_SYSTEMS.add("gs")
def _open_gcs() -> Any:
    from pyarrow.fs import GcsFileSystem

    return GcsFileSystem()


@FILE_SYSTEMS.add("az")
def _open_azure() -> Any:
    from pyarrow.fs import AzureFileSystem

    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise DependencyUnavailable("az://: the environment variable AZURE_STORAGE_ACCOUNT is not set; set it")
    return AzureFileSystem(account, account_key=os.environ.get("AZURE_STORAGE_KEY"))


@lru_cache
def conditional_store(scheme: str, bucket: str) -> Any:
    """Return the store of a bucket that writes on condition and knows versions, which Arrow's file systems do not.

    Raises
    ------
    DependencyUnavailable
        When the extra of the store is not installed.
    """
    try:
        from obstore.store import from_url
    except ImportError as error:
        extra = _EXTRAS[scheme]
        raise DependencyUnavailable(
            f"{scheme}://{bucket}: the package obstore is not installed; run `pip install 'declarative-mlops[{extra}]'`"
        ) from error
    endpoint = _s3_endpoint() if scheme == "s3" else ""
    if not endpoint:
        return from_url(f"{scheme}://{bucket}")
    options: Any = {"allow_http": endpoint.startswith("http://")}
    return from_url(f"{scheme}://{bucket}", client_options=options, endpoint=endpoint)


@contextmanager
def explained_store_errors(address: str) -> Iterator[None]:
    """Turn an error of a store into one of this project that names the address; FileNotFoundError passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise DependencyUnavailable(
            f"{address}: the store is unavailable ({reason}); check its address and the credentials in the environment"
        ) from error

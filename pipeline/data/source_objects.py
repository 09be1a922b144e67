"""Find the objects of a declared source in an object store, and read them; the graph has to list them too."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.data.file_import import matches_pattern
from pipeline.errors import ConfigError, DataError
from pipeline.files import parse_yaml
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["check_graph_lists", "is_address", "list_objects", "object_version", "open_source_file"]

# DVC has other names for two schemes.
_DVC_SCHEMES = {"azure": "az", "gcs": "gs"}


def is_address(name: str) -> bool:
    """Return whether the name of a source is in an object store."""
    return "://" in name


def list_objects(address: str) -> list[str]:
    """Return the addresses of the objects that an address names, sorted; only * stands for other characters.

    Raises
    ------
    DataError
        When there is none.
    DependencyUnavailable
        When the store is unavailable.
    """
    path = StoragePath.parse(address)
    if "*" not in path.name:
        found = [address] if path.exists() else []
    else:
        names = [entry.path for entry in path.parent.list_files()]
        found = [str(each) for each in names if matches_pattern(each.name, path.name)]
    if not found:
        raise DataError(f"{address}: no such object; expected a file of rows in the store")
    return found


def object_version(address: str) -> str:
    """Return the ETag of an object.

    Raises
    ------
    DataError
        When it is gone.
    DependencyUnavailable
        When the store is unavailable, or its extra is not installed.
    """
    try:
        return StoragePath.parse(address).version()
    except FileNotFoundError as error:
        raise DataError(f"{address}: no such object; it was there a moment ago, so run it again") from error


@contextmanager
def open_source_file(name: str, *, root: Path) -> Iterator[Path]:
    """Yield the path of a file of a source: below `root`, or a copy of the object that is removed after the block.

    Raises
    ------
    DataError
        When the object is gone.
    DependencyUnavailable
        When the store is unavailable.
    """
    if not is_address(name):
        yield root / name
        return
    try:
        with StoragePath.parse(name).local_copy() as copy:
            yield copy
    except FileNotFoundError as error:
        raise DataError(str(error)) from error


def check_graph_lists(addresses: Sequence[str], *, root: Path) -> None:
    """Refuse addresses that the stage `ingest` does not depend on: `dvc repro` would not see that they changed.

    Raises
    ------
    ConfigError
        With the lines to add to dvc.yaml.
    """
    listed = _listed_addresses(root / "dvc.yaml")
    if listed is None:
        return
    # Of a pattern DVC compares the folder.
    wanted = [StoragePath.parse(address) for address in addresses]
    needed = [path.parent if "*" in path.name else path for path in wanted]
    missing = [path for path in needed if not any(_is_within(path, each) for each in listed)]
    if missing:
        lines = "".join(f"\n      - {_in_words_of_dvc(path)}" for path in dict.fromkeys(missing))
        raise ConfigError(
            f"data.source.path: {missing[0]}: dvc.yaml does not list it, so `dvc repro` would not see a change; add to"
            f" the deps of the stage ingest:{lines}"
        )


def _listed_addresses(graph: Path) -> list[StoragePath] | None:
    """Return the addresses among the dependencies of `ingest`; None without a graph."""
    try:
        listed: list[Any] = parse_yaml(graph.read_text(encoding="utf-8"))["stages"]["ingest"]["deps"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return None
    return [_from_words_of_dvc(each) for each in listed if isinstance(each, str) and is_address(each)]


def _from_words_of_dvc(address: str) -> StoragePath:
    scheme, _, rest = address.partition("://")
    return StoragePath(_DVC_SCHEMES.get(scheme, scheme), rest.rstrip("/"))


def _in_words_of_dvc(path: StoragePath) -> str:
    names = {ours: theirs for theirs, ours in _DVC_SCHEMES.items() if theirs != "gcs"}
    return f"{names.get(path.scheme, path.scheme)}://{path.path}"


def _is_within(path: StoragePath, folder: StoragePath) -> bool:
    return path == folder or (path.scheme == folder.scheme and path.path.startswith(f"{folder.path}/"))

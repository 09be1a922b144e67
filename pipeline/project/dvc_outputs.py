"""List the outputs of `dvc.lock`, locate them in the DVC cache, and restore them after a failed stage."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import IntegrityError
from pipeline.files import atomic_file, atomic_folder, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DvcOutput",
    "cache_object_path",
    "cached_listing",
    "file_md5",
    "folder_listing",
    "folder_md5",
    "listing_md5",
    "locked_outputs",
    "restore_outputs",
]

_CACHE_FOLDER = Path(".dvc/cache/files/md5")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DvcOutput:
    """One output of a stage as `dvc.lock` names it; the MD5 of a folder ends with `.dir`."""

    stage: str
    path: str
    md5: str
    is_cached: bool


def locked_outputs(root: Path) -> Iterator[DvcOutput]:
    """Yield every output that `dvc.lock` names.

    Raises
    ------
    IntegrityError
        When `dvc.lock` is missing or cannot be read.
    """
    try:
        lock = parse_yaml((root / "dvc.lock").read_text(encoding="utf-8"))
        declared = parse_yaml((root / "dvc.yaml").read_text(encoding="utf-8"))
        uncached = set(_uncached_paths(declared))
        for name, stage in lock["stages"].items():
            for output in stage.get("outs", []):
                yield DvcOutput(
                    stage=name, path=output["path"], md5=output["md5"], is_cached=output["path"] not in uncached
                )
    except FileNotFoundError as error:
        raise IntegrityError(f"{error.filename}: no such file; run `dvc repro` first") from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"dvc.lock: cannot be read ({error}); restore it with `git checkout dvc.lock`") from error


def _uncached_paths(declared: dict[str, Any]) -> Iterator[str]:
    for stage in declared["stages"].values():
        for output in stage.get("outs", []):
            if isinstance(output, dict):
                yield from (path for path, options in output.items() if options.get("cache") is False)


def cache_object_path(root: Path, md5: str) -> Path:
    """Return the path of the object with this hash in the cache."""
    return root / _CACHE_FOLDER / md5[:2] / md5[2:]


def cached_listing(root: Path, md5: str) -> dict[str, str] | None:
    """Return the MD5 of each member of a cached folder; None when its listing is missing or damaged."""
    try:
        entries = json.loads(cache_object_path(root, md5).read_bytes())
        return {entry["relpath"]: entry["md5"] for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, as DVC computes it, in constant memory."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def folder_listing(folder: Path) -> list[dict[str, str]]:
    """Return the MD5 and the path of every file in a folder, in DVC's order."""
    members = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = [{"md5": file_md5(path), "relpath": path.relative_to(folder).as_posix()} for path in members]
    return sorted(entries, key=lambda entry: entry["relpath"])


def listing_md5(listing: list[dict[str, str]]) -> str:
    """Return DVC's hash of a folder: the MD5 of the JSON listing of its members."""
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def folder_md5(folder: Path) -> str:
    """Return DVC's hash of a folder on disk."""
    return listing_md5(folder_listing(folder))


def restore_outputs(root: Path, stage: str) -> list[str]:
    """Restore the outputs of `stage` that are missing, from the cache; return their paths.

    DVC removes the outputs of a stage before it runs it. After a failure, outputs that were not written again are
    restored as `dvc.lock` names them. Outputs that are missing or damaged in the cache are not restored.
    """
    try:
        missing = [
            output
            for output in locked_outputs(root)
            if output.stage == stage and output.is_cached and not (root / output.path).exists()
        ]
        return [output.path for output in missing if _restore(root, output)]
    except (IntegrityError, OSError):
        return []


def _restore(root: Path, output: DvcOutput) -> bool:
    members = {".": output.md5} if not output.md5.endswith(".dir") else cached_listing(root, output.md5)
    if members is None or not all(_is_intact(cache_object_path(root, md5), md5) for md5 in members.values()):
        return False
    path = root / output.path
    if not output.md5.endswith(".dir"):
        with atomic_file(path) as temporary:
            shutil.copyfile(cache_object_path(root, output.md5), temporary)
        return True
    with atomic_folder(path) as folder:
        for name, md5 in members.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cache_object_path(root, md5), folder / name)
    return True


def _is_intact(path: Path, md5: str) -> bool:
    return path.is_file() and file_md5(path) == md5

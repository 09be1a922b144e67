"""List the files of a package with sizes and digests, and refuse a folder that differs from the list."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_FILE",
    "MITIGATION_FILE",
    "FileEntry",
    "Manifest",
    "OnnxProof",
    "list_files",
    "verify_files",
    "verify_package",
]

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
REQUIRED_FILES = (
    "card.md",
    "decision.json",
    "encoder.json",
    "golden.json",
    "importance.json",
    "lineage.json",
    "metrics.json",
    "model.skops",
    "reference.json",
    "schema.yaml",
    "train_rows.json",
)
# Packages of older versions have no rule baseline.
MITIGATION_FILE = "mitigation.json"
OPTIONAL_FILES = ("model.onnx", "rule.json", MITIGATION_FILE)
_MAX_MANIFEST_BYTES = 1 << 16
_MAX_FILE_BYTES = 1 << 31
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class OnnxProof:
    """Whether the package serves from ONNX, and the evidence.

    `reason` is why there is no `model.onnx`; None where there is one. On `rows` rows the classes equal those of
    scikit-learn, and probabilities agree within `tolerance`.
    """

    used: bool
    rows: int
    tolerance: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a package; `digest` is the SHA-256 of manifest.json and identifies the package."""

    name: str
    model: str
    files: dict[str, FileEntry]
    onnx: OnnxProof
    libraries: dict[str, str]
    digest: str

    @classmethod
    def create(
        cls, name: str, model: str, *, listed: dict[str, FileEntry], onnx: OnnxProof, libraries: dict[str, str]
    ) -> Manifest:
        """Return the manifest of files that are written, with its own digest."""
        fields: dict[str, Any] = {"name": name, "model": model, "libraries": libraries}
        plain = {"files": {path: asdict(entry) for path, entry in listed.items()}, "onnx": asdict(onnx), **fields}
        digest = files.sha256(files.canonical_json({"format": FORMAT_VERSION, **plain}).encode())
        return cls(files=listed, onnx=onnx, digest=digest, **fields)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of manifest.json: everything but its own digest."""
        plain = asdict(self)
        del plain["digest"]
        return {"format": FORMAT_VERSION, **plain}

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Return the manifest in the bytes of a manifest.json.

        Raises
        ------
        IntegrityError
            When the bytes are not what `as_dict` writes.
        """
        try:
            value = json.loads(data)
            if value.pop("format") != FORMAT_VERSION:
                raise IntegrityError(
                    f"{MANIFEST_FILE}: another format than {FORMAT_VERSION}; use the version that wrote it"
                )
            entries = {name: FileEntry(**entry) for name, entry in value.pop("files").items()}
            proof = OnnxProof(**value.pop("onnx"))
            manifest = cls(files=entries, onnx=proof, digest=files.sha256(data), **value)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise IntegrityError(f"{MANIFEST_FILE}: invalid content ({error}); restore the package") from error
        _check_listed_files(manifest)
        if files.canonical_json(manifest.as_dict()).encode() != data:
            raise IntegrityError(f"{MANIFEST_FILE}: not in canonical form; restore the package")
        return manifest


def _check_listed_files(manifest: Manifest) -> None:
    for name, entry in manifest.files.items():
        if name not in REQUIRED_FILES and name not in OPTIONAL_FILES:
            raise IntegrityError(
                f"{MANIFEST_FILE}: lists {name!r}; a package holds {', '.join((*REQUIRED_FILES, *OPTIONAL_FILES))}"
            )
        is_sound = type(entry.size) is int and 0 <= entry.size <= _MAX_FILE_BYTES and isinstance(entry.sha256, str)
        if not is_sound or not _SHA256.fullmatch(entry.sha256):
            raise IntegrityError(f"{MANIFEST_FILE}: size or digest of {name} is invalid")
    absent = [name for name in REQUIRED_FILES if name not in manifest.files]
    if absent:
        raise IntegrityError(f"{MANIFEST_FILE}: does not list {', '.join(absent)}")
    if manifest.onnx.used is not ("model.onnx" in manifest.files):
        raise IntegrityError(f"{MANIFEST_FILE}: `onnx.used` contradicts whether model.onnx is listed")


def list_files(folder: Path, names: Iterable[str]) -> dict[str, FileEntry]:
    """Return size and digest of each of `names` in `folder`, sorted by name."""
    return {name: FileEntry((folder / name).stat().st_size, files.sha256_file(folder / name)) for name in sorted(names)}


def verify_package(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of a package and the bytes of its files, each read once and verified.

    Raises
    ------
    IntegrityError
        When a file is missing, unlisted, not a regular file, or differs in size or digest.
    """
    manifest = _read_manifest(folder)
    extra = sorted({path.name for path in folder.iterdir()} - set(manifest.files) - {MANIFEST_FILE})
    if extra:
        raise IntegrityError(f"{folder}: contains {', '.join(map(repr, extra[:3]))}, which the manifest does not list")
    return manifest, {name: _read_verified(folder / name, entry) for name, entry in manifest.files.items()}


def verify_files(folder: Path, names: Iterable[str]) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and only the files `names`; the others may be damaged or missing.

    Raises
    ------
    IntegrityError
        When the manifest or one of these files is damaged.
    """
    manifest = _read_manifest(folder)
    absent = [name for name in names if name not in manifest.files]
    if absent:
        raise IntegrityError(f"{folder}: the package has no {', '.join(absent)}; train and register it again")
    return manifest, {name: _read_verified(folder / name, manifest.files[name]) for name in names}


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    if not folder.is_dir() or not path.exists():
        raise IntegrityError(
            f"{folder}: no model package (there is no {MANIFEST_FILE}); run `dvc repro train` to make one"
        )
    if _regular_file_size(path) > _MAX_MANIFEST_BYTES:
        raise IntegrityError(f"{path}: too large for a manifest; the package is damaged, restore it")
    return Manifest.from_bytes(path.read_bytes())


def _regular_file_size(path: Path) -> int:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise IntegrityError(f"{path}: not a regular file; restore the package")
    return status.st_size


def _read_verified(path: Path, entry: FileEntry) -> bytes:
    try:
        size = _regular_file_size(path)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: missing; restore the package") from error
    if size != entry.size:
        raise IntegrityError(f"{path}: has {size} bytes, the manifest lists {entry.size}; restore the package")
    data = path.read_bytes()
    if files.sha256(data) != entry.sha256:
        raise IntegrityError(f"{path}: checksum mismatch; restore the package")
    return data

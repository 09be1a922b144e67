"""Records of parts that ended: the files that one attempt wrote, and the values that it returned."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.storage import StoragePath

__all__ = ["RECORDS_FOLDER", "PartFile", "PartRecord", "find_record", "read_records", "write_record"]

RECORDS_FOLDER = "_records"


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file that a part wrote: its name in the output folder, its size and its SHA-256."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part that ended.

    `values` are JSON values of the job; they and the content of `files` depend on the plan alone, the names of files
    on the attempt.
    """

    number: int
    plan_digest: str
    n_rows: int
    files: tuple[PartFile, ...]
    values: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PartRecord:
        """Return the record that `as_dict` wrote."""
        return cls(**{**values, "files": tuple(PartFile(**file) for file in values["files"])})


def write_record(record: PartRecord, output: StoragePath) -> None:
    """Write a record; of two attempts the last one counts, and both are right."""
    path = _record_path(output, record.number)
    path.write_bytes(canonical_json(record.as_dict()).encode())


def read_records(output: StoragePath, *, plan_digest: str) -> dict[int, PartRecord]:
    """Return the records of a plan by number, of those parts whose files are there with the recorded size.

    A record that cannot be read counts as none, so that its part runs again.
    """
    sizes = {entry.path.name: entry.n_bytes for entry in output.list_files()}
    records = {}
    for entry in (output / RECORDS_FOLDER).list_files():
        record = _read_record(entry.path)
        if record is None or record.plan_digest != plan_digest:
            continue
        if all(sizes.get(file.name) == file.n_bytes for file in record.files):
            records[record.number] = record
    return records


def find_record(output: StoragePath, number: int, *, plan_digest: str) -> PartRecord | None:
    """Return the record of one part of a plan; None while the part has none, or lacks a file."""
    record = _read_record(_record_path(output, number))
    if record is None or record.plan_digest != plan_digest:
        return None
    try:
        is_complete = all((output / file.name).n_bytes() == file.n_bytes for file in record.files)
    except FileNotFoundError:
        return None
    return record if is_complete else None


def _record_path(output: StoragePath, number: int) -> StoragePath:
    return output / RECORDS_FOLDER / f"{number:06d}.json"


def _read_record(path: StoragePath) -> PartRecord | None:
    if path.suffix != ".json":
        return None
    try:
        return PartRecord.from_dict(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None

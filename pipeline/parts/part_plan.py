"""Plan the parts of a job: which rows of which file each of them reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.errors import Conflict, DataError, IntegrityError, UsageError
from pipeline.files import canonical_json, sha256
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.storage import StoragePath

__all__ = ["PLAN_NAME", "Part", "PartPlan", "SourceFile", "find_plan", "plan_parts", "read_plan", "store_plan"]

PLAN_NAME = "_plan.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of rows to read.

    Attributes
    ----------
    address : str
    version : str
        Digest or ETag of its content.
    n_bytes : int
    group_rows : tuple of int
        Rows of each row group of a Parquet file; of another file one number, its rows.
    modified_ns : int
        When a local file was written, in nanoseconds since 1970; no part of the plan's digest.
    """

    address: str
    version: str
    n_bytes: int
    group_rows: tuple[int, ...]
    modified_ns: int = 0

    @property
    def n_rows(self) -> int:
        """Rows of the file."""
        return sum(self.group_rows)


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows of one file.

    Attributes
    ----------
    number : int
        From 0, in the order of the rows.
    source : int
        Position of its file in `PartPlan.sources`.
    first_row : int
        Number of its first row in the whole input, from 0.
    file_row : int
        Number of its first row in its file, from 0.
    n_rows : int
    first_group, end_group : int
        Row groups of a Parquet file, the end exclusive.
    """

    number: int
    source: int
    first_row: int
    file_row: int
    n_rows: int
    first_group: int
    end_group: int


@dataclass(frozen=True)
class PartPlan:
    """All parts of a job; equal plans give equal results on every engine.

    Attributes
    ----------
    job : str
        Name of the kind of job.
    settings : mapping
        What the result depends on beside the sources, as JSON values.
    sources : tuple of SourceFile
    part_rows : int
        Most rows of a part, unless one row group has more.
    parts : tuple of Part
    """

    job: str
    settings: Mapping[str, Any]
    sources: tuple[SourceFile, ...]
    part_rows: int
    parts: tuple[Part, ...]

    @property
    def n_rows(self) -> int:
        """Rows of all sources."""
        return sum(source.n_rows for source in self.sources)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole plan, without the times of its files."""
        sources = tuple(replace(source, modified_ns=0) for source in self.sources)
        return sha256(replace(self, sources=sources).to_json().encode())

    def source_of(self, part: Part) -> SourceFile:
        """Return the file of a part."""
        return self.sources[part.source]

    def to_json(self) -> str:
        """Return the plan as canonical JSON."""
        values = {
            "format": _FORMAT,
            "job": self.job,
            "settings": dict(self.settings),
            "sources": [asdict(source) for source in self.sources],
            "part_rows": self.part_rows,
            "parts": [asdict(part) for part in self.parts],
        }
        return canonical_json(values)

    @classmethod
    def from_json(cls, text: bytes) -> PartPlan:
        """Return the plan that `to_json` wrote."""
        values = json.loads(text)
        sources = tuple(
            SourceFile(**{**source, "group_rows": tuple(source["group_rows"])}) for source in values["sources"]
        )
        parts = tuple(Part(**part) for part in values["parts"])
        return cls(values["job"], values["settings"], sources, values["part_rows"], parts)


def plan_parts(job: str, settings: Mapping[str, Any], sources: Sequence[SourceFile], *, part_rows: int) -> PartPlan:
    """Return the plan of a job; the number of workers has no part in it.

    Parameters
    ----------
    job : str
    settings : mapping
        JSON values.
    sources : sequence of SourceFile
    part_rows : int
        At least 1. A part has whole row groups, and at least one.

    Raises
    ------
    DataError
        When there is no row.
    """
    parts: list[Part] = []
    first_row = 0
    for position, source in enumerate(sources):
        file_row = 0
        for first_group, end_group, n_rows in _group_ranges(source, part_rows):
            parts.append(Part(len(parts), position, first_row, file_row, n_rows, first_group, end_group))
            first_row += n_rows
            file_row += n_rows
    if not parts:
        named = ", ".join(source.address for source in sources[:3])
        raise DataError(f"{named}: {pluralize(len(sources), 'file')} without rows; expected at least one row")
    return PartPlan(job, settings, tuple(sources), part_rows, tuple(parts))


def _group_ranges(source: SourceFile, part_rows: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first group, end, rows) of each part of a file."""
    first, n_rows = 0, 0
    for group, n_group_rows in enumerate(source.group_rows):
        if n_rows and n_rows + n_group_rows > part_rows:
            yield first, group, n_rows
            first, n_rows = group, 0
        n_rows += n_group_rows
    if n_rows:
        yield first, len(source.group_rows), n_rows


def store_plan(plan: PartPlan, output: StoragePath) -> None:
    """Write a plan into its output folder; the same plan may be there already.

    Raises
    ------
    Conflict
        When the folder has another plan.
    """
    path = output / PLAN_NAME
    if path.create(plan.to_json().encode()):
        return
    found = read_plan(output)
    if found.digest != plan.digest:
        raise Conflict(
            f"{output}: has the parts of another job ({found.job}, {pluralize(found.n_rows, 'row')}, plan"
            f" {found.digest[:12]}); choose another output, or remove the folder"
        )


def find_plan(output: StoragePath) -> PartPlan | None:
    """Return the plan of an output folder; None when it has none.

    Raises
    ------
    IntegrityError
        When the plan is damaged.
    """
    path = output / PLAN_NAME
    try:
        return PartPlan.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path}: is no plan ({error!r}); remove the folder, and plan the job again") from error


def read_plan(output: StoragePath) -> PartPlan:
    """Return the plan of an output folder.

    Raises
    ------
    UsageError
        When it has none.
    """
    plan = find_plan(output)
    if plan is None:
        raise UsageError(f"{output}: has no plan; write one with `mlops parts plan JOB IN -o {output}`")
    return plan

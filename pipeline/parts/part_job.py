"""What a kind of job does for one part, and at the end."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pipeline.files import sha256_file
from pipeline.parts.part_record import PartFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.engines import PartEngine
    from pipeline.parts.part_plan import Part, PartPlan
    from pipeline.parts.part_record import PartRecord
    from pipeline.storage import StoragePath

__all__ = ["PartJob", "PartOutput"]


class PartJob(Protocol):
    """A kind of job; its instances can be pickled, and know no engine.

    A job has what the machine of a worker needs to run a part (where the project is). What the result depends on is in
    `PartPlan.settings`.
    """

    name: ClassVar[str]

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:
        """Run one part, and return JSON values for its record.

        The values and the content of files depend on the plan and the part alone.
        """

    def finish(
        self, plan: PartPlan, records: Sequence[PartRecord], folder: StoragePath, engine: PartEngine
    ) -> Mapping[str, Any]:
        """Return the result of the whole as JSON values for the manifest; `records` are in the order of the parts."""


class PartOutput:
    """Writes the files of one attempt at a part, under names that no other attempt uses."""

    def __init__(self, folder: StoragePath, number: int) -> None:
        self._folder = folder
        self._stem = f"part-{number:06d}-{secrets.token_hex(4)}"
        self._files: list[PartFile] = []

    @property
    def files(self) -> tuple[PartFile, ...]:
        """The files that were written."""
        return tuple(self._files)

    @contextmanager
    def writing(self, suffix: str) -> Iterator[Path]:
        """Yield a local path to write; when the block succeeds, the file is in the output folder.

        Parameters
        ----------
        suffix : str
            End of the name, such as `.parquet`; each file of a part has another one.
        """
        target = self._folder / f"{self._stem}{suffix}"
        with target.writing() as path:
            yield path
            self._files.append(PartFile(target.name, path.stat().st_size, sha256_file(path)))

"""A small job for the tests of parts: each part writes its row numbers, and the result is their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import DataError
from pipeline.parts import PartPlan, SourceFile, plan_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.engines import PartEngine
    from pipeline.parts import Part, PartOutput, PartRecord
    from pipeline.storage import StoragePath

__all__ = ["RowSums", "row_plan"]


def row_plan(n_rows: int = 10, *, part_rows: int = 3) -> PartPlan:
    """Return a plan over one file of row groups of one row; no file is needed."""
    source = SourceFile("rows.parquet", "sha256:0", 1, (1,) * n_rows)
    return plan_parts("sums", {}, [source], part_rows=part_rows)


@dataclass(frozen=True)
class RowSums:
    """Adds up row numbers; refuses the part `refused`, and notes each run in the folder `runs`."""

    name: ClassVar[str] = "sums"
    runs: Path
    refused: int = -1

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:
        assert plan.job == self.name
        if part.number == self.refused:
            raise DataError(f"part {part.number} is refused")
        with (self.runs / f"{part.number}").open("a") as stream:
            stream.write("x")
        rows = range(part.first_row, part.first_row + part.n_rows)
        with output.writing(".txt") as path:
            path.write_text(" ".join(map(str, rows)), encoding="utf-8")
        return {"sum": sum(rows)}

    def finish(
        self, _plan: PartPlan, records: Sequence[PartRecord], _folder: StoragePath, _engine: PartEngine
    ) -> Mapping[str, Any]:
        return {"sum": sum(record.values["sum"] for record in records)}

"""The job that counts rows by bin in parts: each part counts its rows, and the sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.part_rows import describe_sources, open_part
from pipeline.monitoring.counting.bin_counts_file import COUNTS_NAME, counts_from_dict, counts_to_dict, write_counts
from pipeline.monitoring.counting.counted_rows import count_part_rows
from pipeline.monitoring.log import BinCounts
from pipeline.package.worker_package import load_worker_package
from pipeline.parts import PartPlan, find_source_files, plan_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.engines import PartEngine
    from pipeline.package import Package
    from pipeline.parts import Part, PartOutput, PartRecord
    from pipeline.storage import StoragePath

__all__ = ["CountJob", "plan_counts"]


@dataclass(frozen=True)
class CountJob:
    """Counts rows in the bins of a package; the result is `counts.json` in the output folder.

    Parameters
    ----------
    root : Path
        Folder of the project, whose package store has the package of the plan.
    """

    name: ClassVar[str] = "count"
    root: Path

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:  # noqa: ARG002 - no files
        """Return the counts of one part.

        Raises
        ------
        DataError
            When the source changed since it was planned, or has a value of another type than is declared.
        """
        package = load_worker_package(self.root, plan.settings["package"])
        with open_part(plan, part) as rows:
            counts = count_part_rows(package, rows, predicts=plan.settings["predicts"], first_row=part.file_row + 1)
        return counts_to_dict(counts)

    def finish(
        self,
        plan: PartPlan,
        records: Sequence[PartRecord],
        folder: StoragePath,
        engine: PartEngine,  # noqa: ARG002 - the sum is small
    ) -> Mapping[str, Any]:
        """Write the sum of the parts."""
        counts = reduce(BinCounts.merge, (counts_from_dict(record.values) for record in records))
        write_counts(counts, folder / COUNTS_NAME, package_digest=plan.settings["package"])
        return {"counts": COUNTS_NAME}


def plan_counts(package: Package, addresses: Sequence[StoragePath], *, predicts: bool, part_rows: int) -> PartPlan:
    """Return the plan to count the rows of files.

    Parameters
    ----------
    package : Package
    addresses : sequence of StoragePath
        Files, folders or patterns.
    predicts : bool
        Whether the package predicts the rows.
    part_rows : int

    Raises
    ------
    DataError
        When a file is missing or cannot be read, or there is no row.
    UsageError
        When a file is neither CSV nor Parquet.
    """
    schema = package.schema
    dialect = CsvDialect.from_settings(schema.dialect)
    sources = describe_sources(find_source_files(addresses), dialect, accepted_names=schema.accepted_names)
    return plan_parts(CountJob.name, {"package": package.digest, "predicts": predicts}, sources, part_rows=part_rows)

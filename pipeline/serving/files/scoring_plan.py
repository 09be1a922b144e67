"""Plan the scoring of files of rows in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.formats.arrow_files import open_parquet
from pipeline.data.part_rows import describe_sources
from pipeline.parts import find_source_files, plan_parts, require_outside
from pipeline.serving.files.file_reader import read_column_names
from pipeline.serving.files.prediction_table import id_names
from pipeline.serving.files.scoring_job import ScoringJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.package import Package
    from pipeline.parts import PartPlan
    from pipeline.schema import Schema
    from pipeline.serving.files.scoring_job import ScoringSettings
    from pipeline.storage import StoragePath

__all__ = ["plan_scoring"]


def plan_scoring(
    package: Package,
    addresses: Sequence[StoragePath],
    output: StoragePath,
    *,
    settings: ScoringSettings,
    part_rows: int,
) -> PartPlan:
    """Return the plan to score the rows of files; Parquet is planned by its footers, CSV is read once.

    Parameters
    ----------
    package : Package
    addresses : sequence of StoragePath
        Files, folders or patterns.
    output : StoragePath
        The output folder.
    settings : ScoringSettings
        The plan adds the ids of the files.
    part_rows : int
        Most rows of a part, unless a row group has more; a CSV file is one part.

    Raises
    ------
    DataError
        When a file is missing or cannot be read, or there is no row.
    UsageError
        When a file is neither CSV nor Parquet, or the output lies in an input.
    """
    require_outside(output, addresses)
    schema = package.schema
    dialect = CsvDialect.from_settings(schema.dialect)
    files = find_source_files(addresses)
    sources = describe_sources(files, dialect, accepted_names=schema.accepted_names)
    settings = replace(settings, ids=_read_ids(files[0], schema, dialect))
    return plan_parts(ScoringJob.name, settings.as_dict(), sources, part_rows=part_rows)


def _read_ids(path: StoragePath, schema: Schema, dialect: CsvDialect) -> tuple[str, ...]:
    if path.suffix == ".parquet":
        file = open_parquet(path)
        return id_names(schema, [*file.names, *file.set_aside])
    with path.local_copy() as local:
        return id_names(schema, read_column_names(local, schema, dialect=dialect))

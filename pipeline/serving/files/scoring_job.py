"""The job that scores files of rows in parts: each part writes a file of predictions."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.part_rows import open_part
from pipeline.errors import DataError, DependencyUnavailable, UnreadableFile
from pipeline.package.worker_package import load_worker_package
from pipeline.project import paths
from pipeline.serving.files.file_log import FilePredictionLog
from pipeline.serving.files.file_reader import MAX_LISTED_VALUES, TableValidator, part_column_names, read_part_tables
from pipeline.serving.files.file_warnings import count_warnings
from pipeline.serving.files.prediction_file import PredictionFile
from pipeline.serving.files.prediction_table import TABLE_ROWS, join_tables, predict_table, prefetch
from pipeline.serving.log_hash_key import load_hash_key
from pipeline.serving.scorer import RowScorer
from pipeline.state import open_state
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.engines import PartEngine
    from pipeline.package import Package
    from pipeline.parts import Part, PartOutput, PartPlan, PartRecord
    from pipeline.storage import StoragePath

__all__ = ["ScoringJob", "ScoringSettings"]


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """What the predictions of a plan depend on beside the rows.

    Attributes
    ----------
    model : str
    version, generation : int
        Logged with each row.
    package : str
        Digest of the package, so that a promotion after planning changes nothing.
    dialect : mapping
        Of CSV files.
    ids : tuple of str
        Columns that the output repeats.
    suffix : str
        `.parquet` or `.csv`.
    is_logged : bool
        Whether predictions are logged.
    escapes_formulas : bool
        Whether texts of a CSV file that a spreadsheet would calculate get an apostrophe.
    """

    model: str
    version: int
    generation: int
    package: str
    dialect: Mapping[str, Any]
    ids: tuple[str, ...] = ()
    suffix: str = ".parquet"
    is_logged: bool = False
    escapes_formulas: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {**asdict(self), "ids": list(self.ids)}

    @classmethod
    def from_plan(cls, plan: PartPlan) -> ScoringSettings:
        """Return the settings of a plan."""
        return cls(**{**plan.settings, "ids": tuple(plan.settings["ids"])})


class _InvalidRows(Exception):
    """A part has rows that break the declaration."""


@dataclass(frozen=True)
class ScoringJob:
    """Scores rows with the package that the plan names.

    Parameters
    ----------
    root : Path
        The project, which may be absent on a machine with MLOPS_PACKAGES_URL.
    chunk_rows : int
        Rows that are scored at once; it bounds the memory and changes nothing else.
    """

    name: ClassVar[str] = "predict"
    root: Path
    chunk_rows: int = TABLE_ROWS

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:
        """Write the predictions of a part, and return its warnings, or its invalid rows and no file.

        Raises
        ------
        DataError
            When the file changed since it was planned, or is damaged.
        DependencyUnavailable
            When the package or the log is unavailable, or the disk is full.
        """
        settings = ScoringSettings.from_plan(plan)
        package = load_worker_package(self.root, settings.package)
        try:
            return self._write(plan, part, output, settings=settings, package=package)
        except _InvalidRows:
            return _list_invalid(plan, part, settings=settings, package=package)

    def _write(
        self, plan: PartPlan, part: Part, output: PartOutput, *, settings: ScoringSettings, package: Package
    ) -> Mapping[str, Any]:
        columns: dict[str, str] = {}
        warnings: Counter[str] = Counter()
        n_rows = 0
        source_digest = plan.source_of(part).version.removeprefix("sha256:")
        with self._open_log(settings, package) as log, output.writing(settings.suffix) as path:
            writer = PredictionFile(
                path,
                is_parquet=settings.suffix == ".parquet",
                group_rows=TABLE_ROWS,
                escapes_formulas=settings.escapes_formulas,
            )
            with closing(writer):
                for rows, scored in prefetch(self._scored_tables(plan, part, settings, package)):
                    if log is not None:
                        first_row = part.file_row + n_rows + 1
                        ids = log.append(rows, source_digest=source_digest, first_row=first_row)
                        scored = scored.append_column("prediction_id", pa.array(ids, pa.string()))  # noqa: PLW2901
                    writer.write(scored)
                    columns = {field.name: str(field.type) for field in scored.schema}
                    warnings += count_warnings(package, rows)
                    n_rows += rows.num_rows
            if n_rows != part.n_rows:
                raise DataError(
                    f"{plan.source_of(part).address}: part {part.number} has {pluralize(n_rows, 'row')}, planned are"
                    f" {part.n_rows:,}; plan the job again with another output"
                )
        return {"columns": columns, "warnings": dict(warnings), "n_invalid": 0, "invalid": []}

    def _scored_tables(
        self, plan: PartPlan, part: Part, settings: ScoringSettings, package: Package
    ) -> Iterator[tuple[pa.Table, pa.Table]]:
        validator = TableValidator(package.schema)
        for rows in prefetch(_read_tables(plan, part, settings, package)):
            if validator.list_invalid(rows):
                raise _InvalidRows
            yield rows, predict_table(package, rows, chunk_rows=self.chunk_rows)

    @contextmanager
    def _open_log(self, settings: ScoringSettings, package: Package) -> Iterator[FilePredictionLog | None]:
        if not settings.is_logged:
            yield None
            return
        if not (self.root / paths.STATE).is_dir():
            raise DependencyUnavailable(
                f"{self.root / paths.STATE}: is not on this machine; --log needs the project folder on each worker"
            )
        state = open_state(self.root)
        try:
            scorer = RowScorer(package, many_missing=1.0, hash_key=load_hash_key(self.root))
            yield FilePredictionLog(state, settings.model, settings.version, settings.generation, scorer)
        finally:
            state.close()

    def finish(
        self,
        plan: PartPlan,
        records: Sequence[PartRecord],
        folder: StoragePath,
        engine: PartEngine,  # noqa: ARG002 - sums are small
    ) -> Mapping[str, Any]:
        """Return the columns of the output, and the number of rows with each warning.

        Raises
        ------
        DataError
            When rows are invalid; the first 20 problems are named. When ids of files have several types.
        """
        n_invalid = sum(record.values["n_invalid"] for record in records)
        if n_invalid:
            listed = [line for record in records for line in record.values["invalid"]][:MAX_LISTED_VALUES]
            raise DataError(
                "\n".join(listed)
                + f"\n{folder}: {pluralize(n_invalid, 'problem')} in {pluralize(plan.n_rows, 'row')}, so there is no"
                " manifest; correct the files, and score them to another output"
            )
        _require_same_columns(records, plan)
        warnings: Counter[str] = Counter()
        for record in records:
            warnings += Counter(record.values["warnings"])
        return {"columns": records[0].values["columns"], "warnings": dict(warnings)}


def _read_tables(plan: PartPlan, part: Part, settings: ScoringSettings, package: Package) -> Iterator[pa.Table]:
    """Yield the rows of a part.

    Raises
    ------
    _InvalidRows
        When columns or cells are not as declared; its text names them.
    """
    dialect, schema = CsvDialect.from_settings(settings.dialect), package.schema
    with open_part(plan, part) as rows:
        try:
            _require_ids(part_column_names(rows, schema, dialect=dialect), plan, settings, address=rows.address)
            first_row = part.file_row + 1
            tables = read_part_tables(rows, schema, settings.ids, dialect=dialect, first_row=first_row)
            yield from join_tables(tables, n_rows=TABLE_ROWS)
        except UnreadableFile:
            raise
        except DataError as error:
            raise _InvalidRows(str(error)) from error


def _require_ids(names: Sequence[str], plan: PartPlan, settings: ScoringSettings, *, address: str) -> None:
    """Refuse a file with other ids than the first one, because parts of one output have the same columns."""
    missing = [name for name in settings.ids if name not in names]
    if names and missing:
        raise DataError(
            f"{address}: lacks the id {missing[0]}, which {plan.sources[0].address} has; score them to two outputs"
        )


def _list_invalid(plan: PartPlan, part: Part, *, settings: ScoringSettings, package: Package) -> Mapping[str, Any]:
    """Read a part to its end, and return its first problems; a value is named by its row in the whole."""
    validator = TableValidator(package.schema)
    address = plan.source_of(part).address
    lines: list[str] = []
    n_rows = n_invalid = 0
    try:
        for rows in _read_tables(plan, part, settings, package):
            invalid = validator.list_invalid(rows)
            n_invalid += len(invalid)
            for value in invalid[: MAX_LISTED_VALUES - len(lines)]:
                row = n_rows + value.row + 1
                place = f"{address}, row {part.file_row + row}"
                lines.append(f"row {part.first_row + row} ({place}): {value.column}: {value.message}")
            n_rows += rows.num_rows
    except _InvalidRows as error:
        problems = str(error).splitlines()
        problems = problems[:-1] or problems  # the last line sums up, where there are several
        n_invalid += len(problems)
        lines += problems[: MAX_LISTED_VALUES - len(lines)]
    return {"columns": {}, "warnings": {}, "n_invalid": n_invalid, "invalid": lines}


def _require_same_columns(records: Sequence[PartRecord], plan: PartPlan) -> None:
    """Refuse parts whose ids have several types, because no reader joins them."""
    first = records[0]
    for record in records:
        if record.values["columns"] != first.values["columns"]:
            addresses = [plan.source_of(plan.parts[each.number]).address for each in (first, record)]
            raise DataError(
                f"{addresses[1]}: its output has the columns {record.values['columns']}, that of {addresses[0]} has"
                f" {first.values['columns']}; write the ids of both in one type"
            )

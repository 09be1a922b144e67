"""The job that validates a table in parts: parts count and write hashes, then ranges of the hashes are compared."""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.data.input_problems import MAX_INPUT_PROBLEMS
from pipeline.files import canonical_json
from pipeline.part_validation.checked_part import CheckSettings, labeled_batches, open_part_rows
from pipeline.validation import refusal_lines
from pipeline.validation.dataset_stats import compared_columns
from pipeline.validation.dataset_validation import TableFacts, report_facts
from pipeline.validation.hash_ranges import HashRanges
from pipeline.validation.range_files import HashIndex, find_repeats, plan_spans, write_hashes
from pipeline.validation.row_failures import without_private_values
from pipeline.validation.row_hash import row_hashes
from pipeline.validation.table_counts import TableCounts
from pipeline.validation.unique_keys import unique_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.engines import PartEngine
    from pipeline.parts import Part, PartOutput, PartPlan, PartRecord
    from pipeline.storage import StoragePath
    from pipeline.validation import ValidationReport
    from pipeline.validation.arrow_rows import ArrowRows

__all__ = ["REPORT_NAME", "ValidationJob"]

REPORT_NAME = "validation.json"
_HASHES_SUFFIX = ".hashes"
_COUNTS_SUFFIX = ".counts.json.gz"
_SPLIT_NOT_CHECKED = "split and folds: the stages split and train need all rows in memory"


@dataclass(frozen=True)
class ValidationJob:
    """Validates rows; the result is `validation.json` in the output folder, unless lines of CSV cannot be read."""

    name: ClassVar[str] = "check"

    def run(self, plan: PartPlan, part: Part, output: PartOutput) -> Mapping[str, Any]:
        """Count one part, and write its counts and its sorted hashes.

        Raises
        ------
        DataError
            When the source changed since it was planned.
        """
        settings = CheckSettings.from_plan(plan)
        with open_part_rows(plan, part, settings.data) as opened:
            values: dict[str, Any] = {
                "problems": [asdict(problem) for problem in opened.problems],
                "is_readable": opened.rows is not None,
                "hashes": [],
            }
            if opened.rows is not None:
                values["hashes"] = _count_rows(opened.rows, _part_counts(plan, part, settings), settings, output)
        return values

    def finish(
        self, plan: PartPlan, records: Sequence[PartRecord], folder: StoragePath, engine: PartEngine
    ) -> Mapping[str, Any]:
        """Write the report of the whole, and return why the graph refuses the rows."""
        problems = [problem for record in records for problem in record.values["problems"][:MAX_INPUT_PROBLEMS]]
        result = {"problems": problems, "not_checked": [], "refusals": [], "warnings": [], "report": None}
        if not all(record.values["is_readable"] for record in records):
            return result
        settings = CheckSettings.from_plan(plan)
        counts = _merge_counts(plan, records, folder, settings)
        facts = _find_facts(counts, records, folder, engine, settings)
        report = _make_report(facts, plan, settings)
        (folder / REPORT_NAME).write_bytes(canonical_json(report.as_dict()).encode())
        return {
            **result,
            "report": REPORT_NAME,
            "refusals": list(refusal_lines(report, settings.schema, settings.validation)),
            "warnings": [f"unseen of {each.column}: {each.message}" for each in facts.unseen_words],
            "not_checked": [*settings.not_checked, _SPLIT_NOT_CHECKED],
        }


def _part_counts(plan: PartPlan, part: Part, settings: CheckSettings) -> TableCounts:
    return TableCounts(
        settings.kinds,
        settings.schema,
        n_total=settings.n_total(plan),
        max_examples=settings.validation.max_examples_per_rule,
        n_rows=settings.n_rows(part),
        first_row=settings.first_row(part),
    )


def _count_rows(
    rows: ArrowRows, counts: TableCounts, settings: CheckSettings, output: PartOutput
) -> list[dict[str, Any]]:
    """Count the rows of a part, write its files, and return where its hashes are."""
    kinds, schema = settings.kinds, settings.schema
    compared, keys = compared_columns(kinds, schema), unique_keys(kinds, schema)
    start = counts.failures.first_row
    with ExitStack() as stack:
        duplicates = stack.enter_context(HashRanges())
        repeated = [stack.enter_context(HashRanges(with_rows=True)) for _ in keys]
        for batch in labeled_batches(rows, schema.target, kinds):
            counts.add(batch, start)
            duplicates.add(row_hashes(batch, compared))
            for key, ranges in zip(keys, repeated, strict=True):
                ranges.add(*key.hash_rows(batch, start))
            start += len(batch)
        with output.writing(_HASHES_SUFFIX) as path:
            indexes = write_hashes([duplicates, *repeated], path)
    with output.writing(_COUNTS_SUFFIX) as path:
        path.write_bytes(gzip.compress(json.dumps(counts.as_dict()).encode(), compresslevel=1, mtime=0))
    return [asdict(index) for index in indexes]


def _file(record: PartRecord, folder: StoragePath, suffix: str) -> StoragePath:
    return folder / next(file.name for file in record.files if file.name.endswith(suffix))


def _merge_counts(
    plan: PartPlan, records: Sequence[PartRecord], folder: StoragePath, settings: CheckSettings
) -> TableCounts:
    merged = TableCounts(
        settings.kinds,
        settings.schema,
        n_total=settings.n_total(plan),
        max_examples=settings.validation.max_examples_per_rule,
    )
    for part, record in zip(plan.parts, records, strict=True):
        counts = _part_counts(plan, part, settings)
        counts.load(json.loads(gzip.decompress(_file(record, folder, _COUNTS_SUFFIX).read_bytes())))
        merged.merge(counts)
    return merged


def _find_facts(
    counts: TableCounts, records: Sequence[PartRecord], folder: StoragePath, engine: PartEngine, settings: CheckSettings
) -> TableFacts:
    """Return all facts, with the equal rows of all parts."""
    keys = unique_keys(settings.kinds, settings.schema)
    files = [
        (_file(record, folder, _HASHES_SUFFIX), [HashIndex.from_dict(index) for index in record.values["hashes"]])
        for record in records
    ]
    n_total, n_duplicates = counts.stats.n_total, 0
    for _, repeats in engine.map(partial(find_repeats, files), plan_spans(1 + len(keys), n_rows=n_total)):
        if repeats.set_number == 0:
            n_duplicates += repeats.n_repeats
        else:
            counts.failures.add_repeated(keys[repeats.set_number - 1], repeats.rows)
    return TableFacts(
        counts.stats.to_stats(n_duplicates=n_duplicates),
        without_private_values(counts.failures.to_failures({}), settings.schema),
        counts.unseen.to_words(n_total),
        settings.unreadable,
        settings.undeclared,
    )


def _make_report(facts: TableFacts, plan: PartPlan, settings: CheckSettings) -> ValidationReport:
    report = report_facts(facts, settings.schema, settings.validation, name=settings.data.name)
    return replace(report, n_unlabeled=plan.n_rows - facts.stats.n_rows, not_checked=settings.not_checked)

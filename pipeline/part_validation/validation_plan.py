"""Plan a validation in parts: find the columns that every part can read, and the labeled rows of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.data.part_rows import describe_sources
from pipeline.errors import DataError
from pipeline.part_validation.checked_part import labeled_batches, open_part_rows
from pipeline.part_validation.validation_job import ValidationJob
from pipeline.parts import find_source_files, plan_parts
from pipeline.schema import Schema
from pipeline.validation.failure_counter import whole_column_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.groups.data_config import DataConfig
    from pipeline.config.root_config import Config
    from pipeline.engines import PartEngine
    from pipeline.parts import PartPlan
    from pipeline.storage import StoragePath

__all__ = ["plan_validation"]


@dataclass(frozen=True)
class _PartSurvey:
    """What a part says of its columns, and how many of its rows have a declared class."""

    unreadable: dict[str, str]
    undeclared: tuple[str, ...]
    n_labeled: int


def plan_validation(
    addresses: Sequence[StoragePath], config: Config, engine: PartEngine, *, part_rows: int
) -> PartPlan:
    """Return the plan to validate files as one table.

    Parameters
    ----------
    addresses : sequence of StoragePath
        Files, folders or patterns.
    config : Config
    engine : PartEngine
        Looks at the columns of each part.
    part_rows : int

    Raises
    ------
    DataError
        When a file is missing or cannot be read, there is no row, or no row has a label that the target requires.
    UsageError
        When a file is neither CSV nor Parquet.
    """
    schema = Schema.from_config(config.data)
    sources = describe_sources(
        find_source_files(addresses), config.data.csv_dialect, accepted_names=schema.accepted_names
    )
    draft = plan_parts(ValidationJob.name, {}, sources, part_rows=part_rows)
    surveys = dict(engine.map(partial(_survey_part, draft, config.data), range(len(draft.parts))))
    ordered = [surveys[part.number] for part in draft.parts]
    unreadable = _unreadable_columns(draft, ordered, schema)
    labeled = None if schema.target.unlabeled == "refuse" else [survey.n_labeled for survey in ordered]
    if labeled is not None and not sum(labeled):
        raise DataError(
            f"{config.data.name}: no row has one of the classes {', '.join(schema.target.classes)} in"
            f" {schema.target.column}; correct data.target in conf/data/{schema.name}.yaml"
        )
    kinds = {column.name: column.kind for column in schema.columns if column.name not in unreadable}
    settings = {
        "data": config.data.model_dump(mode="json"),
        "validation": config.validation.model_dump(mode="json"),
        "unreadable": unreadable,
        "undeclared": sorted({name for survey in ordered for name in survey.undeclared}),
        "labeled": labeled,
        "not_checked": [
            f"{column.name}: {next(iter(column.checks))} needs all values at once"
            for column in whole_column_checks(kinds, schema)
        ],
    }
    return plan_parts(ValidationJob.name, settings, sources, part_rows=part_rows)


def _survey_part(plan: PartPlan, data: DataConfig, number: int) -> _PartSurvey:
    part, target = plan.parts[number], Schema.from_config(data).target
    is_csv = not plan.source_of(part).address.endswith(".parquet")
    if is_csv and target.unlabeled == "refuse":
        return _PartSurvey({}, (), part.n_rows)  # reading a CSV file gives the declared columns, or problems
    with open_part_rows(plan, part, data) as opened:
        if opened.rows is None:
            return _PartSurvey({}, (), part.n_rows)
        n_labeled = part.n_rows
        if target.unlabeled != "refuse":
            has_labels = target.column in opened.rows.kinds
            n_labeled = sum(map(len, labeled_batches(opened.rows, target))) if has_labels else 0
        return _PartSurvey(opened.rows.unreadable, opened.rows.undeclared_columns, n_labeled)


def _unreadable_columns(plan: PartPlan, surveys: Sequence[_PartSurvey], schema: Schema) -> dict[str, Any]:
    """Return the first reason of each column in the declared order; of several files, with the file."""
    reasons: dict[str, str] = {}
    for part, survey in zip(plan.parts, surveys, strict=True):
        where = f" in {plan.source_of(part).address}" if len(plan.sources) > 1 else ""
        for name, reason in survey.unreadable.items():
            reasons.setdefault(name, f"{reason}{where}")
    names = [*(column.name for column in schema.columns), schema.target.column]
    return {name: reasons[name] for name in names if name in reasons}

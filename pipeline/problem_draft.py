"""Draft the declaration of a file, ask every stage about its rows, and report what was assumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.data.scaffold import draft_problem, write_draft
from pipeline.data.sources import fetch_rows
from pipeline.data.splitters import split_train_test
from pipeline.errors import DataError
from pipeline.rows_check import check_training_rows
from pipeline.schema import Schema
from pipeline.text import percent, pluralize
from pipeline.validation import select_training_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.data.drafted_problem import DraftedProblem
    from pipeline.data.target_inference import InferredTarget
    from pipeline.validation import TrainingRows, ValidationReport
    from pipeline.validation.findings import ValidationFinding

__all__ = ["DraftReport", "draft_declaration"]

_RARE_SHARE = 0.1
_MANY_COPIES = 0.05
_MAX_LISTED = 12


@dataclass(frozen=True, slots=True)
class DraftReport:
    """The written declaration, the role of each column, and the report for its author.

    Attributes
    ----------
    path, name, n_rows
        The declaration, the problem and the rows of its file.
    features, ids, times, ignored : tuple of str
        Columns by role.
    not_read : tuple of str
        Columns that no value can be read from, with what they hold.
    classes : tuple of str
    assumptions : tuple of str
        One sentence for each decision that the file does not prove.
    warnings : tuple of str
        What a model of these rows suffers from.
    refusals : tuple of str
        Why the graph refuses the rows, with what helps; none where it accepts them.
    """

    path: str
    name: str
    n_rows: int
    features: tuple[str, ...]
    ids: tuple[str, ...]
    times: tuple[str, ...]
    ignored: tuple[str, ...]
    not_read: tuple[str, ...]
    classes: tuple[str, ...]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    refusals: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def draft_declaration(
    files: Sequence[Path],
    *,
    target: str,
    root: Path,
    name: str | None = None,
    table: str | None = None,
    replace: bool = False,
) -> DraftReport:
    """Write conf/data/<name>.yaml for files of rows, as the graph accepts it where that is possible.

    The rows are read as declared and checked as the stages validate and split do. Columns that reveal the class are
    ignored then, and classes that some fold would lack are left out.

    Parameters
    ----------
    files, target, root, name, table
        As in `draft_problem`.
    replace : bool
        Whether to overwrite a declaration of this name.

    Raises
    ------
    DataError, Conflict
        As `draft_problem` does.
    ConfigError
        When a name of the file is not valid in settings; nothing is written then.
    """
    draft = draft_problem(files, target=target, root=root, name=name, table=table, replace=replace)
    config = write_draft(draft, root=root)
    frame = fetch_rows(config.data, root=root).frame
    rows = _training_rows(frame, config)
    revised = _revise(draft, config, rows)
    if revised is not draft:
        config = write_draft(revised, root=root)
        rows = _training_rows(frame, config)
    return DraftReport(
        path=revised.path,
        name=revised.name,
        n_rows=len(frame),
        features=revised.names("feature"),
        ids=revised.names("id"),
        times=revised.names("time"),
        ignored=revised.names("ignore"),
        not_read=tuple(f"{name} ({held})" for name, held in revised.raw_file.set_aside.items()),
        classes=revised.target.classes,
        assumptions=tuple(_assumptions(revised)),
        warnings=tuple(_warnings(revised, rows.report)),
        refusals=check_training_rows(rows, config),
    )


def _training_rows(frame: pd.DataFrame, config: Config) -> TrainingRows:
    return select_training_rows(frame, Schema.from_config(config.data), config.validation, name=config.data.name)


def _revise(draft: DraftedProblem, config: Config, rows: TrainingRows) -> DraftedProblem:
    """Return the declaration without what the graph would refuse; `draft` itself where there is nothing."""
    schema = Schema.from_config(config.data)
    leaks = {finding.column: finding for finding in rows.report.findings if finding.rule == "leakage"}
    reasons = {name: _leak_reason(finding) for name, finding in leaks.items() if name is not None}
    revised = draft.ignoring(reasons) if 0 < len(reasons) < len(schema.feature_names) else draft
    return _with_trainable_classes(revised, rows.valid, schema, config)


def _leak_reason(finding: ValidationFinding) -> str:
    return f"reveals the class: {finding.message}; if known before the outcome: role: feature, leakage: accept"


def _with_trainable_classes(
    draft: DraftedProblem, frame: pd.DataFrame, schema: Schema, config: Config
) -> DraftedProblem:
    """Return the declaration with a split that has each class in both parts, and without classes that a fold lacks."""
    for kind in (config.data.split.kind, "stratified"):
        split = config.data.split.model_copy(update={"kind": kind})
        try:
            train = split_train_test(frame, schema, split, seed=config.seed).train
        except DataError:
            continue
        counts = train[schema.target.column].value_counts()
        rare = [name for name in schema.target.classes if 0 < int(counts.get(name, 0)) < config.training.folds]
        if rare and len(schema.target.classes) - len(rare) >= 2:
            draft = replace(draft, target=draft.target.without(rare))
        return draft if kind == draft.split_kind else replace(draft, split_kind=kind)
    return draft


def _assumptions(draft: DraftedProblem) -> Iterator[str]:
    target = draft.target
    yield from draft.raw_file.notes
    if target.positive is not None:
        yield f"the positive class is {target.positive} (target.positive)"
    if target.n_missing:
        yield f"{pluralize(target.n_missing, 'row')} without a label set aside (target.unlabeled: set_aside)"
    if target.rare:
        names = ", ".join(f"{name} ({n})" for name, n in list(target.rare.items())[:_MAX_LISTED])
        yield (
            f"{pluralize(sum(target.rare.values()), 'row')} of {pluralize(len(target.rare), 'rare label')} set aside,"
            f" as a class needs ten rows, some in each fold (target.classes): {names}{_more(len(target.rare))}"
        )
    if draft.split_kind == "stratified":
        yield "a split by class, as one by hash leaves some class out of a part (split.kind: stratified)"
    for column in draft.columns:
        reasons = [*([column.note] if column.note is not None else []), *column.assumptions]
        if reasons:
            yield f"{column.name}: {_ROLES[column.role]}: {'; '.join(reasons)}"


_ROLES = {"feature": "feature", "id": "not a feature", "time": "not a feature", "ignore": "ignored"}


def _more(n: int) -> str:
    return f" and {n - _MAX_LISTED} more" if n > _MAX_LISTED else ""


def _warnings(draft: DraftedProblem, report: ValidationReport) -> Iterator[str]:
    yield from _imbalance(draft.target)
    ignored = set(draft.names("ignore"))
    notable = [finding for finding in report.notable_findings() if finding.column not in ignored]
    missing = sorted((finding for finding in notable if finding.rule == "missing"), key=lambda each: -each.share)
    if missing:
        names = ", ".join(f"{finding.column} ({percent(finding.share)})" for finding in missing[:_MAX_LISTED])
        yield f"values are missing in {pluralize(len(missing), 'feature')}: {names}{_more(len(missing))}"
    for finding in notable:
        if finding.rule == "pure_values" or (finding.rule == "duplicates" and finding.share >= _MANY_COPIES):
            yield f"{finding.title}: {finding.message}"


def _imbalance(target: InferredTarget) -> Iterator[str]:
    n_rows = sum(target.counts.values())
    rarest = min(target.counts, key=lambda name: target.counts[name])
    share = target.counts[rarest] / n_rows
    if len(target.counts) > 2 or share >= _RARE_SHARE:
        return
    threshold = (
        "; training.threshold.rule=max_f1 finds a threshold below 0.5. training.class_weight=balanced distorts the"
        " probabilities"
    )
    yield (
        f"{rarest} has {percent(share)} of the rows ({target.counts[rarest]:,}): a model that never predicts it has an"
        f" accuracy of {percent(1 - share)}. Compare log_loss and pr_auc"
        f"{threshold if rarest == target.positive else ''}"
    )

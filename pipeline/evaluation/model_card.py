"""Write the model card: what a person should know before believing or using the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.metrics import METRICS, MetricEstimate
from pipeline.text import number, percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.config.root_config import Config
    from pipeline.evaluation.evaluation_report import EvaluationReport
    from pipeline.schema import Column

__all__ = ["model_card"]

_MAX_WORST_SLICES = 8
_SMALL_TEST_ROWS = 1000


def model_card(report: EvaluationReport, config: Config) -> str:
    """Return the card of an evaluated package in Markdown (after Mitchell et al. 2019, "Model cards").

    It holds nothing that depends on the moment or the machine.
    """
    parts = (
        _header_section,
        _metrics_section,
        _baselines_section,
        _confusion_section,
        _slices_section,
        _importance_section,
        _features_section,
        _training_section,
        _caveats_section,
    )
    return "\n\n".join("\n".join(part(report, config)).strip() for part in parts) + "\n"


def _header_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    target = report.package.schema.target
    title = target.title or target.column
    yield f"# {config.name}: {title}"
    yield ""
    yield (
        f"A `{report.package.manifest.model}` that predicts **{_one_line(title)}**"
        f" ({_join_with_or([f'`{name}`' for name in target.classes])}) from {len(report.package.schema.feature_names)} columns"
        f" of the problem `{config.data.name}`."
    )
    if target.description:
        yield f"{_one_line(target.description)}."
    yield ""
    yield f"On {pluralize(report.n_test, 'row')} that it never saw: {_headline_sentence(report)}"


def _headline_sentence(report: EvaluationReport) -> str:
    accuracy, objective = report.metrics["accuracy"], report.metrics[report.objective]
    said = f"**{percent(accuracy.value)} of the predictions are right** ({_format_interval(accuracy, as_percent=True)})"
    if report.objective != "accuracy":
        said += f", and its {_display_name(report.objective)} is **{number(objective.value)}** ({_format_interval(objective)})"
    return said + "."


def _metrics_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    level = percent(report.confidence)
    yield "## How good it is"
    yield ""
    yield from _markdown_table(
        ("figure", "on test rows", f"{level} interval", f"mean of {config.training.folds} folds", "better is"),
        (
            (
                _display_name(name),
                number(one.value),
                _format_range(one),
                number(report.package.metrics.get(name)),
                "higher" if METRICS[name].higher_is_better else "lower",
            )
            for name, one in report.metrics.items()
        ),
    )
    yield ""
    yield (
        "Intervals are percentiles of the bootstrap over the test rows. Figures of the folds come from the train part,"
        " where each row is judged by a model that had not seen it; the two columns should agree."
    )


def _baselines_section(report: EvaluationReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - the parts share a form
    name = report.objective
    yield "## What it has to beat"
    yield ""
    yield from _markdown_table(
        ("", _display_name(name), "model minus baseline", "accuracy", "verdict"),
        (
            (
                _display_name(other),
                number(one.metrics[name]),
                f"{number(one.difference[name].value, signed=True)} ({_format_range(one.difference[name], signed=True)})",
                number(one.metrics["accuracy"]),
                _baseline_verdict(one.difference[name], higher_is_better=METRICS[name].higher_is_better),
            )
            for other, one in report.baselines.items()
        ),
    )
    yield ""
    yield "`majority` gives every row the shares of the classes; `depth 2 tree` is the best rule of two questions."


def _baseline_verdict(difference: MetricEstimate, *, higher_is_better: bool) -> str:
    if difference.low is None or difference.high is None:
        return "not known"
    low, high = (difference.low, difference.high) if higher_is_better else (-difference.high, -difference.low)
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def _confusion_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    classes = report.package.schema.target.classes
    yield "## Its mistakes"
    yield ""
    yield from _markdown_table(
        ("truly", *(f"called {_escape_cell(name)}" for name in classes), "found", "right when called"),
        (
            (
                name,
                *(f"{n:,}" for n in row),
                percent(report.by_class[name]["recall"]),
                percent(report.by_class[name]["precision"]),
            )
            for name, row in zip(classes, report.confusion.tolist(), strict=True)
        ),
    )
    positive, threshold = report.package.schema.target.positive, report.package.threshold
    if positive is not None and threshold is not None:
        yield ""
        yield (
            f"A row is called `{positive}` from a probability of {threshold:.4g} on (rule `{config.training.threshold.rule}`)."
        )


def _slices_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    name = config.evaluation.slices.metric
    yield "## Where it is weakest"
    yield ""
    if report.slices:
        yield from _worst_slices_table(report, name)
    if report.too_small_slices:
        yield (
            f"{len(report.too_small_slices)} {'further ' if report.slices else ''}parts have fewer than"
            f" {config.evaluation.slices.min_rows} rows and were not judged."
        )


def _worst_slices_table(report: EvaluationReport, name: str) -> Iterator[str]:
    clear = sum(one.is_clearly_worse is True for one in report.slices)
    whole = f" than the whole ({number(report.metrics[name].value)})" if name in report.metrics else ""
    yield (
        f"{len(report.slices)} parts of the rows were judged by {_display_name(name)}; in {clear} of them the whole interval"
        f" is worse{whole}. The worst:"
    )
    yield ""
    yield from _markdown_table(
        ("column", "value", "rows", _display_name(name), "interval", "accuracy", "clearly worse"),
        (
            (
                _column_label(report, one.column),
                one.value,
                f"{one.n_rows:,}",
                number(one.estimate.value),
                _format_range(one.estimate),
                number(one.metrics.get("accuracy")),
                "yes" if one.is_clearly_worse else "no",
            )
            for one in report.slices[:_MAX_WORST_SLICES]
        ),
    )
    yield ""


def _importance_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    yield "## What it looks at"
    yield ""
    yield from _markdown_table(
        ("column", f"{_display_name(report.objective)} worsens by", "spread"),
        (
            (_column_label(report, one.column), number(one.mean, signed=True), number(one.spread))
            for one in report.importance
        ),
    )
    yield ""
    yield (
        f"When the values of one column are shuffled ({config.evaluation.importance_repeats} times; spread is the standard"
        " deviation). Columns that tell the same story hide each other."
    )


def _features_section(report: EvaluationReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - the parts share a form
    yield "## What goes in"
    yield ""
    yield from _markdown_table(
        ("column", "meaning", "values", "unit", "may be missing"),
        (
            (
                f"`{column.name}`",
                column.description or column.label,
                _accepted_values(column),
                column.unit or "",
                "yes" if column.nullable else "no",
            )
            for column in report.package.schema.features
        ),
    )


def _training_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    training, lineage = config.training, report.package.lineage
    onnx = report.package.manifest.onnx
    yield "## How it was made"
    yield ""
    yield f"- **Rows**: {report.n_train:,} to learn from and {report.n_test:,} to judge, source `{config.data.source.kind}`."
    yield (
        f"- **Learning**: `{report.package.manifest.model}`, {training.folds}-fold stratified cross-validation, calibration"
        f" `{training.calibration}`, class weights `{training.class_weight or 'none'}`, seed {config.seed}."
    )
    if onnx.used:
        yield (
            f"- **Serving**: ONNX; equal classes and probabilities within {report.parity.tolerance:g} of scikit-learn on"
            f" {pluralize(report.parity.rows, 'test row')}."
        )
    else:
        yield f"- **Serving**: scikit-learn, because {_one_line(onnx.reason or 'there is no ONNX form')}."
    yield f"- **Package**: `{report.package.digest}`"
    for name, value in sorted(lineage.items()):
        if isinstance(value, str):
            yield f"- **{_display_name(name)}**: `{value}`"


def _caveats_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    yield "## What to be careful about"
    yield ""
    if config.data.source.kind == "synthetic":
        yield "- The rows are **synthetic**: drawn from figures, not observed. Judge it on real rows before relying on it."
    if report.n_test < _SMALL_TEST_ROWS:
        yield f"- Only {pluralize(report.n_test, 'row')} {'judges' if report.n_test == 1 else 'judge'} it: the intervals are wide, and small differences mean nothing."
    shares = {name: one["rows"] or 0.0 for name, one in report.by_class.items()}
    rarest = min(shares, key=lambda name: shares[name])
    yield f"- The rarest class, `{rarest}`, is {percent(shares[rarest] / report.n_test)} of the test rows."
    protected = [column.label for column in report.package.schema.columns if column.protected]
    if protected:
        yield f"- Declared as protected: {', '.join(protected)}. Look at their parts in `reports/evaluation.json`."
    yield "- It knows rows like those above. When live rows move away from them, these figures no longer hold: watch the drift."


def _accepted_values(column: Column) -> str:
    if column.categories:
        return ", ".join(column.categories)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"from {column.minimum:g}"
    return f"up to {column.maximum:g}" if column.maximum is not None else column.kind


def _column_label(report: EvaluationReport, name: str) -> str:
    return report.package.schema.column(name).label


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(_escape_cell, head))} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_escape_cell, row))} |"


def _escape_cell(value: str) -> str:
    return _one_line(value).replace("|", "\\|")


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _join_with_or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _display_name(name: str) -> str:
    return name.replace("_", " ")


def _format_range(estimate: MetricEstimate, *, signed: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return "none"
    return f"{estimate.low:+.4f} to {estimate.high:+.4f}" if signed else f"{estimate.low:.4f} to {estimate.high:.4f}"


def _format_interval(estimate: MetricEstimate, *, as_percent: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{percent(estimate.low)} to {percent(estimate.high)}" if as_percent else _format_range(estimate)

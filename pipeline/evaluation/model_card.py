"""Write the model card: metrics, baselines, weaknesses, features and training of an evaluated package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.fairness import fairness_markdown
from pipeline.markdown_text import code_span, escape_markdown, markdown_table
from pipeline.metrics import METRICS, MetricEstimate, comparison_verdict
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import number, percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.config.root_config import Config
    from pipeline.evaluation.evaluation_report import EvaluationReport
    from pipeline.schema import Column

__all__ = ["model_card"]

_MAX_WORST_SLICES = 8
_SMALL_TEST_ROWS = 1000


def model_card(report: EvaluationReport, config: Config) -> str:
    """Return the card of an evaluated package in Markdown (after Mitchell et al. 2019, "Model cards").

    The card depends on neither the time nor the machine.
    """
    sections = (
        _header_section,
        _metrics_section,
        _baselines_section,
        _confusion_section,
        _slices_section,
        _fairness_section,
        _importance_section,
        _features_section,
        _training_section,
        _caveats_section,
    )
    return "\n\n".join("\n".join(section(report, config)).strip() for section in sections) + "\n"


def _header_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    target = report.package.schema.target
    title = target.title or target.column
    yield f"# {escape_markdown(config.name)}: {escape_markdown(title)}"
    yield ""
    yield (
        f"A {code_span(report.package.manifest.model)} that predicts **{escape_markdown(title)}**"
        f" ({_join_with_or([code_span(name) for name in target.classes])}) from"
        f" {len(report.package.schema.feature_names)} features of the dataset {code_span(config.data.name)}."
    )
    if target.description:
        yield f"{escape_markdown(target.description)}."
    yield ""
    yield f"On {pluralize(report.n_test, 'test row')}: {_headline_sentence(report)}"


def _headline_sentence(report: EvaluationReport) -> str:
    accuracy, selection = report.metrics["accuracy"], report.metrics[report.selection_metric]
    interval = _format_interval(accuracy, as_percent=True)
    sentence = f"**{percent(accuracy.value)} of the predictions are correct** ({interval})"
    if report.selection_metric != "accuracy":
        name, value = _display_name(report.selection_metric), number(selection.value)
        sentence += f", and {name} is **{value}** ({_format_interval(selection)})"
    return sentence + "."


def _metrics_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    level = percent(report.confidence_level)
    yield "## Performance"
    yield ""
    yield from markdown_table(
        ("metric", "on test rows", f"{level} interval", f"mean of {config.training.folds} folds", "better is"),
        (
            (
                metric_label(name),
                number(estimate.value),
                _format_range(estimate),
                number(report.package.metrics.get(name)),
                "higher" if METRICS[name].higher_is_better else "lower",
            )
            for name, estimate in report.metrics.items()
        ),
    )
    yield ""
    yield (
        "An interval holds the true value for this share of test sets. The folds are parts of the train rows, each"
        " scored by a model that was fitted to the others. Both columns should agree. The calibration error (`ece`) on"
        " the test rows is without the part that chance alone gives; the mean of the folds holds that part."
    )


def _baselines_section(report: EvaluationReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - shared signature
    name = report.selection_metric
    yield "## Baselines"
    yield ""
    yield from markdown_table(
        ("", _display_name(name), "model minus baseline", "accuracy", "verdict"),
        (
            (
                _display_name(baseline),
                number(result.metrics[name]),
                _format_difference(result.difference[name]),
                number(result.metrics["accuracy"]),
                comparison_verdict(result.difference[name], higher_is_better=METRICS[name].higher_is_better),
            )
            for baseline, result in report.baselines.items()
        ),
    )
    yield ""
    yield "`majority` predicts the shares of the classes for every row; `depth 2 tree` is a decision tree of depth 2."


def _confusion_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    classes = report.package.schema.target.classes
    yield "## Confusion matrix"
    yield ""
    yield from markdown_table(
        ("true class", *(f"predicted {escape_markdown(name)}" for name in classes), "recall", "precision"),
        (
            (
                escape_markdown(name),
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
        rule = config.training.threshold.rule
        yield f"A row is predicted as {code_span(positive)} from a probability of {threshold:.4g} on (rule `{rule}`)."


def _slices_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    name = config.evaluation.slices.metric
    yield "## Weakest slices"
    yield ""
    slices = report.slices
    if slices.evaluated:
        yield from _worst_slices_table(report, name)
    if slices.too_small:
        yield (
            f"{len(slices.too_small)} {'further ' if slices.evaluated else ''}slices have fewer than"
            f" {config.evaluation.slices.min_rows} rows and were not evaluated."
        )


def _worst_slices_table(report: EvaluationReport, name: str) -> Iterator[str]:
    slices = report.slices.evaluated
    n_worse = sum(slice_.is_clearly_worse is True for slice_ in slices)
    overall = f" than on all rows ({number(report.metrics[name].value)})" if name in report.metrics else ""
    yield (
        f"{len(slices)} slices were evaluated by {_display_name(name)}; in {n_worse} of them the whole interval"
        f" is worse{overall}. The worst:"
    )
    yield ""
    yield from markdown_table(
        ("feature", "value", "rows", _display_name(name), "interval", "accuracy", "clearly worse"),
        (
            (
                _column_label(report, slice_.column),
                escape_markdown(slice_.value),
                f"{slice_.n_rows:,}",
                number(slice_.estimate.value),
                _format_range(slice_.estimate),
                number(slice_.metrics.get("accuracy")),
                "yes" if slice_.is_clearly_worse else "no",
            )
            for slice_ in slices[:_MAX_WORST_SLICES]
        ),
    )
    yield ""


def _fairness_section(report: EvaluationReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - shared signature
    yield fairness_markdown(report.fairness.as_dict())


def _importance_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    yield "## Feature importance"
    yield ""
    yield from markdown_table(
        ("feature", f"{_display_name(report.selection_metric)} worsens by", "spread"),
        (
            (_column_label(report, feature.column), number(feature.mean, signed=True), number(feature.spread))
            for feature in report.importance
        ),
    )
    yield ""
    yield (
        f"Permutation importance: the values of one feature are shuffled {config.evaluation.importance_repeats} times;"
        " spread is the standard deviation. Correlated features lower each other's importance."
    )


def _features_section(report: EvaluationReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - shared signature
    yield "## Features"
    yield ""
    yield from markdown_table(
        ("feature", "meaning", "values", "unit", "may be missing"),
        (
            (
                code_span(column.name),
                escape_markdown(column.description or column.label),
                escape_markdown(_accepted_values(column)),
                escape_markdown(column.unit or ""),
                "yes" if column.nullable else "no",
            )
            for column in report.package.schema.features
        ),
    )
    derived = report.package.serving_classifier.encoder.derived.columns
    if derived:
        expressions = (f"{code_span(column.name)} = {code_span(column.expression.text)}" for column in derived)
        yield ""
        yield f"The model also reads these derived columns: {', '.join(expressions)}."


def _training_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    training, lineage = config.training, report.package.lineage
    onnx = report.package.manifest.onnx
    yield "## Training"
    yield ""
    source = config.data.source.kind
    yield f"- **Rows**: {report.n_train:,} train rows and {report.n_test:,} test rows, source `{source}`."
    yield (
        f"- **Training**: {code_span(report.package.manifest.model)},"
        f" {training.folds}-fold stratified cross-validation,"
        f" calibration `{training.calibration}`, class weights `{training.class_weight or 'none'}`, seed {config.seed}."
    )
    if onnx.used:
        yield (
            f"- **Serving**: ONNX; equal classes, and probabilities within {report.parity.tolerance:g} of scikit-learn,"
            f" on {pluralize(report.parity.rows, 'test row')}."
        )
    else:
        yield f"- **Serving**: scikit-learn, because {escape_markdown(onnx.reason or 'there is no ONNX form')}."
    yield f"- **Package**: `{report.package.digest}`"
    for name, value in sorted(lineage.items()):
        if isinstance(value, str):
            yield f"- **{escape_markdown(_display_name(name))}**: {code_span(value)}"


def _caveats_section(report: EvaluationReport, config: Config) -> Iterator[str]:
    yield "## Caveats"
    yield ""
    if config.data.source.kind == "synthetic":
        yield "- The rows are **synthetic**: generated, not observed. Evaluate the model on real rows before use."
    if report.n_test < _SMALL_TEST_ROWS:
        rows = pluralize(report.n_test, "row")
        yield f"- The test part has only {rows}: intervals are wide, and small differences are not evidence."
    n_rows = {name: metrics["rows"] or 0.0 for name, metrics in report.by_class.items()}
    rarest = min(n_rows, key=lambda name: n_rows[name])
    yield f"- The rarest class, {code_span(rarest)}, is {percent(n_rows[rarest] / report.n_test)} of the test rows."
    protected = [escape_markdown(column.label) for column in report.package.schema.columns if column.protected]
    if protected:
        yield f"- Declared as protected: {', '.join(protected)}. See the section Fairness."
    yield "- These metrics hold for rows like the test rows. Monitor drift: they do not hold for rows that differ."


def _accepted_values(column: Column) -> str:
    if column.categories:
        return ", ".join(column.categories) + (", or another word" if column.accepts_unseen else "")
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"from {column.minimum:g}"
    return f"up to {column.maximum:g}" if column.maximum is not None else column.kind


def _column_label(report: EvaluationReport, name: str) -> str:
    return escape_markdown(report.package.schema.column(name).label)


def _join_with_or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _display_name(name: str) -> str:
    return name.replace("_", " ")


def _format_difference(estimate: MetricEstimate) -> str:
    return f"{number(estimate.value, signed=True)} ({_format_range(estimate, signed=True)})"


def _format_range(estimate: MetricEstimate, *, signed: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return f"none: {estimate.reason}"
    return f"{estimate.low:+.4f} to {estimate.high:+.4f}" if signed else f"{estimate.low:.4f} to {estimate.high:.4f}"


def _format_interval(estimate: MetricEstimate, *, as_percent: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return f"no interval: {estimate.reason}"
    return f"{percent(estimate.low)} to {percent(estimate.high)}" if as_percent else _format_range(estimate)

"""Write the card inside a package: features, metrics, predictions and lineage of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.markdown_text import code_span, escape_markdown, markdown_table
from pipeline.text import number, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.modeling.classifier import Classifier
    from pipeline.modeling.encoding.column_encoding import ColumnEncoding
    from pipeline.package.manifest import OnnxProof
    from pipeline.schema import Column

__all__ = ["package_card"]


def package_card(
    classifier: Classifier,
    model: str,
    proof: OnnxProof,
    *,
    n_rows: int,
    metrics: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> str:
    """Return the card in Markdown; it depends on neither the time nor the machine.

    Parameters
    ----------
    classifier : Classifier
        The classifier in the package.
    model : str
        Name of the model in conf/model/.
    proof : OnnxProof
        Whether the ONNX form is used, or why not.
    n_rows : int
        Number of train rows.
    metrics, lineage : mapping
        Cross-validated metrics, and hashes of data and settings.
    """
    parts = (
        _header_section(classifier, model, n_rows),
        _features_section(classifier),
        _derived_section(classifier),
        _metrics_section(metrics),
        _predictions_section(classifier, proof),
        _lineage_section(lineage),
    )
    sections = [lines for part in parts if (lines := list(part))]
    return "\n".join(line for lines in sections for line in (*lines, "")).rstrip() + "\n"


def _header_section(classifier: Classifier, model: str, n_rows: int) -> Iterator[str]:
    target = classifier.schema.target
    yield f"# {escape_markdown(model)} for {escape_markdown(classifier.schema.name)}"
    yield ""
    classes = ", ".join(map(code_span, target.classes))
    yield f"Predicts {code_span(target.column)} ({classes}) from the features below; trained on {n_rows:,} rows."
    if target.description is not None:
        yield ""
        yield f"{escape_markdown(target.description)}."
    yield ""
    yield "Metrics on test rows, slices and caveats are in the model card of the evaluation."


def _features_section(classifier: Classifier) -> Iterator[str]:
    encodings = {encoding.name: encoding for encoding in classifier.encoder.encodings_}
    yield "## Features"
    yield ""
    rows = [
        (
            code_span(column.name),
            column.kind,
            _accepted_values(column),
            "may be missing" if column.nullable else "required",
            _encoded_as(encodings[column.name]) if column.name in encodings else "not used",
            _meaning(column),
        )
        for column in classifier.schema.features
    ]
    yield from markdown_table(("feature", "kind", "accepted", "missing values", "encoded as", "meaning"), rows)


def _encoded_as(encoding: ColumnEncoding) -> str:
    return f"{encoding.method} ({pluralize(len(encoding.output_names), 'number')})"


def _derived_section(classifier: Classifier) -> Iterator[str]:
    columns = classifier.encoder.derived.columns
    if not columns:
        return
    yield "## Derived columns"
    yield ""
    yield "Computed from the features of each row; requests, drift and explanations are about the features alone."
    yield ""
    rows = [
        (
            code_span(column.name),
            column.kind,
            code_span(column.expression.text),
            ", ".join(map(code_span, column.sources)),
        )
        for column in columns
    ]
    yield from markdown_table(("column", "kind", "expression", "computed from"), rows)


def _accepted_values(column: Column) -> str:
    if column.categories:
        return ", ".join(map(code_span, column.categories)) + (", or another word" if column.accepts_unseen else "")
    if column.minimum is None and column.maximum is None:
        return "any"
    low = "" if column.minimum is None else f"{column.minimum:g}"
    high = "" if column.maximum is None else f"{column.maximum:g}"
    return f"{low} to {high}".strip() + (f" {escape_markdown(column.unit)}" if column.unit is not None else "")


def _meaning(column: Column) -> str:
    return escape_markdown(column.description if column.description is not None else column.label)


def _metrics_section(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "## Cross-validated metrics"
    yield ""
    yield from markdown_table(("metric", "mean over folds"), [(name, number(value)) for name, value in metrics.items()])


def _predictions_section(classifier: Classifier, proof: OnnxProof) -> Iterator[str]:
    yield "## Predictions"
    yield ""
    yield f"A probability of each class (calibration: {classifier.calibration.kind}), and a class:"
    if classifier.threshold is None:
        yield "the most probable one."
    else:
        yield f"{code_span(classifier.schema.target.positive)} from a probability of {classifier.threshold:.4g} on."
    if classifier.group_thresholds is not None:
        listed = ", ".join(f"{name} {value:.4g}" for name, value in classifier.group_thresholds.thresholds.items())
        yield f"Groups of {code_span(classifier.group_thresholds.column)} have thresholds of their own: {listed}."
    yield ""
    if proof.used:
        yield (
            f"The serving form is `model.onnx`. On {proof.rows:,} rows, some with missing and unknown values, it"
            f" predicts the same classes as scikit-learn, and probabilities within {proof.tolerance:g}."
        )
    else:
        reason = escape_markdown(proof.reason)
        yield f"The serving form is scikit-learn (`model.skops`), because there is no ONNX form: {reason}."


def _lineage_section(lineage: Mapping[str, Any]) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    for name, value in sorted(lineage.items()):
        if name == "settings":  # too long for a card; `mlops models diff` compares them
            continue
        if isinstance(value, dict):
            yield from (
                f"- {escape_markdown(name)}.{escape_markdown(key)}: {code_span(nested)}"
                for key, nested in sorted(value.items())
            )
        else:
            yield f"- {escape_markdown(name)}: {code_span(value)}"

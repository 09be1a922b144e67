"""Write the card inside a package: features, metrics, predictions and lineage of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.modeling.classifier import Classifier
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
        _features_section(classifier.schema.columns),
        _metrics_section(metrics),
        _predictions_section(classifier, proof),
        _lineage_section(lineage),
    )
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def _header_section(classifier: Classifier, model: str, n_rows: int) -> Iterator[str]:
    target = classifier.schema.target
    yield f"# {model} for {classifier.schema.name}"
    yield ""
    classes = ", ".join(f"`{name}`" for name in target.classes)
    yield f"Predicts `{target.column}` ({classes}) from the features below; trained on {n_rows:,} rows."
    if target.description is not None:
        yield ""
        yield _one_line(target.description) + "."
    yield ""
    yield "Metrics on test rows, slices and caveats are in the model card of the evaluation."


def _features_section(columns: Iterable[Column]) -> Iterator[str]:
    yield "## Features"
    yield ""
    rows = [
        (
            f"`{column.name}`",
            column.kind,
            _accepted_values(column),
            "may be missing" if column.nullable else "required",
            _meaning(column),
        )
        for column in columns
        if column.role == "feature"
    ]
    yield from _markdown_table(("feature", "kind", "accepted", "missing values", "meaning"), rows)


def _accepted_values(column: Column) -> str:
    if column.categories:
        return ", ".join(f"`{category}`" for category in column.categories)
    if column.minimum is None and column.maximum is None:
        return "any"
    low = "" if column.minimum is None else f"{column.minimum:g}"
    high = "" if column.maximum is None else f"{column.maximum:g}"
    return f"{low} to {high}".strip() + (f" {column.unit}" if column.unit is not None else "")


def _meaning(column: Column) -> str:
    return column.description if column.description is not None else column.label


def _metrics_section(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "## Cross-validated metrics"
    yield ""
    yield from _markdown_table(
        ("metric", "mean over folds"), [(name, number(value)) for name, value in metrics.items()]
    )


def _predictions_section(classifier: Classifier, proof: OnnxProof) -> Iterator[str]:
    yield "## Predictions"
    yield ""
    yield f"A probability of each class (calibration: {classifier.calibration.kind}), and a class:"
    if classifier.threshold is None:
        yield "the most probable one."
    else:
        yield f"`{classifier.schema.target.positive}` from a probability of {classifier.threshold:.4g} on."
    yield ""
    if proof.used:
        yield (
            f"The serving form is `model.onnx`. On {proof.rows:,} rows, some with missing and unknown values, it"
            f" predicts the same classes as scikit-learn, and probabilities within {proof.tolerance:g}."
        )
    else:
        yield f"The serving form is scikit-learn (`model.skops`), because there is no ONNX form: {proof.reason}."


def _lineage_section(lineage: Mapping[str, Any]) -> Iterator[str]:
    yield "## Lineage"
    yield ""
    for name, value in sorted(lineage.items()):
        if isinstance(value, dict):
            yield from (f"- {name}.{key}: `{nested}`" for key, nested in sorted(value.items()))
        else:
            yield f"- {name}: `{value}`"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(_one_line(cell) for cell in row)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

"""Write the model card: what a person should know before believing or using the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.metrics import METRICS, Estimate
from pipeline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.config.types import Config
    from pipeline.evaluation.report import EvalReport
    from pipeline.schema import Column

__all__ = ["model_card"]

_WORST = 8
_UNSURE_BELOW = 1000


def model_card(report: EvalReport, config: Config) -> str:
    """Return the card of an evaluated package in Markdown (after Mitchell et al. 2019, "Model cards").

    It holds nothing that depends on the moment or the machine.
    """
    parts = (
        _top,
        _figures,
        _against_baselines,
        _mistakes,
        _parts_of_the_rows,
        _what_matters,
        _inputs,
        _making,
        _limits,
    )
    return "\n\n".join("\n".join(part(report, config)).strip() for part in parts) + "\n"


def _top(report: EvalReport, config: Config) -> Iterator[str]:
    target = report.package.schema.target
    title = target.title or target.column
    yield f"# {config.name}: {title}"
    yield ""
    yield (
        f"A `{report.package.manifest.model}` that predicts **{_one_line(title)}**"
        f" ({_or([f'`{name}`' for name in target.classes])}) from {len(report.package.schema.feature_names)} columns"
        f" of the problem `{config.data.name}`."
    )
    if target.description:
        yield f"{_one_line(target.description)}."
    yield ""
    yield f"On {counted(report.n_test, 'row')} that it never saw: {_sentence(report)}"


def _sentence(report: EvalReport) -> str:
    accuracy, objective = report.metrics["accuracy"], report.metrics[report.objective]
    said = f"**{_percent(accuracy.value)} of the predictions are right** ({_interval(accuracy, percent=True)})"
    if report.objective != "accuracy":
        said += f", and its {_spoken(report.objective)} is **{_number(objective.value)}** ({_interval(objective)})"
    return said + "."


def _figures(report: EvalReport, config: Config) -> Iterator[str]:
    level = f"{100 * report.confidence:g} %"
    yield "## How good it is"
    yield ""
    yield from _table(
        ("figure", "on test rows", f"{level} interval", f"mean of {config.training.folds} folds", "better is"),
        (
            (
                _spoken(name),
                _number(one.value),
                _range(one),
                _number(report.package.metrics.get(name)),
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


def _against_baselines(report: EvalReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - the parts share a form
    name = report.objective
    yield "## What it has to beat"
    yield ""
    yield from _table(
        ("", _spoken(name), "model minus baseline", "accuracy", "verdict"),
        (
            (
                _spoken(other),
                _number(one.metrics[name]),
                f"{_signed(one.difference[name].value)} ({_range(one.difference[name], signed=True)})",
                _number(one.metrics["accuracy"]),
                _verdict(one.difference[name], higher_is_better=METRICS[name].higher_is_better),
            )
            for other, one in report.baselines.items()
        ),
    )
    yield ""
    yield "`majority` gives every row the shares of the classes; `depth 2 tree` is the best rule of two questions."


def _verdict(difference: Estimate, *, higher_is_better: bool) -> str:
    if difference.low is None or difference.high is None:
        return "not known"
    low, high = (difference.low, difference.high) if higher_is_better else (-difference.high, -difference.low)
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def _mistakes(report: EvalReport, config: Config) -> Iterator[str]:
    classes = report.package.schema.target.classes
    yield "## Its mistakes"
    yield ""
    yield from _table(
        ("truly", *(f"called {_cell(name)}" for name in classes), "found", "right when called"),
        (
            (
                name,
                *(f"{n:,}" for n in row),
                _percent(report.by_class[name]["recall"]),
                _percent(report.by_class[name]["precision"]),
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


def _parts_of_the_rows(report: EvalReport, config: Config) -> Iterator[str]:
    name = config.evaluation.slices.metric
    yield "## Where it is weakest"
    yield ""
    if report.slices:
        yield from _worst_slices(report, name)
    if report.too_small:
        yield (
            f"{len(report.too_small)} {'further ' if report.slices else ''}parts have fewer than"
            f" {config.evaluation.slices.min_rows} rows and were not judged."
        )


def _worst_slices(report: EvalReport, name: str) -> Iterator[str]:
    clear = sum(one.stands_out is True for one in report.slices)
    whole = f" than the whole ({_number(report.metrics[name].value)})" if name in report.metrics else ""
    yield (
        f"{len(report.slices)} parts of the rows were judged by {_spoken(name)}; in {clear} of them the whole interval"
        f" is worse{whole}. The worst:"
    )
    yield ""
    yield from _table(
        ("column", "value", "rows", _spoken(name), "interval", "accuracy", "clearly worse"),
        (
            (
                _label(report, one.column),
                one.value,
                f"{one.rows:,}",
                _number(one.estimate.value),
                _range(one.estimate),
                _number(one.metrics.get("accuracy")),
                "yes" if one.stands_out else "no",
            )
            for one in report.slices[:_WORST]
        ),
    )
    yield ""


def _what_matters(report: EvalReport, config: Config) -> Iterator[str]:
    yield "## What it looks at"
    yield ""
    yield from _table(
        ("column", f"{_spoken(report.objective)} worsens by", "spread"),
        ((_label(report, one.column), _signed(one.mean), _number(one.spread)) for one in report.importance),
    )
    yield ""
    yield (
        f"When the values of one column are shuffled ({config.evaluation.importance_repeats} times; spread is the standard"
        " deviation). Columns that tell the same story hide each other."
    )


def _inputs(report: EvalReport, config: Config) -> Iterator[str]:  # noqa: ARG001 - the parts share a form
    yield "## What goes in"
    yield ""
    yield from _table(
        ("column", "meaning", "values", "unit", "may be missing"),
        (
            (
                f"`{column.name}`",
                column.description or column.label,
                _values(column),
                column.unit or "",
                "yes" if column.nullable else "no",
            )
            for column in report.package.schema.features
        ),
    )


def _making(report: EvalReport, config: Config) -> Iterator[str]:
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
            f" {counted(report.parity.rows, 'test row')}."
        )
    else:
        yield f"- **Serving**: scikit-learn, because {_one_line(onnx.reason or 'there is no ONNX form')}."
    yield f"- **Package**: `{report.package.digest}`"
    for name, value in sorted(lineage.items()):
        if isinstance(value, str):
            yield f"- **{_spoken(name)}**: `{value}`"


def _limits(report: EvalReport, config: Config) -> Iterator[str]:
    yield "## What to be careful about"
    yield ""
    if config.data.source.kind == "synthetic":
        yield "- The rows are **synthetic**: drawn from figures, not observed. Judge it on real rows before relying on it."
    if report.n_test < _UNSURE_BELOW:
        yield f"- Only {counted(report.n_test, 'row')} {'judges' if report.n_test == 1 else 'judge'} it: the intervals are wide, and small differences mean nothing."
    shares = {name: one["rows"] or 0.0 for name, one in report.by_class.items()}
    rarest = min(shares, key=lambda name: shares[name])
    yield f"- The rarest class, `{rarest}`, is {_percent(shares[rarest] / report.n_test)} of the test rows."
    protected = [column.label for column in report.package.schema.columns if column.protected]
    if protected:
        yield f"- Declared as protected: {', '.join(protected)}. Look at their parts in `reports/evaluation.json`."
    yield "- It knows rows like those above. When live rows move away from them, these figures no longer hold: watch the drift."


def _values(column: Column) -> str:
    if column.categories:
        return ", ".join(column.categories)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"from {column.minimum:g}"
    return f"up to {column.maximum:g}" if column.maximum is not None else column.kind


def _label(report: EvalReport, name: str) -> str:
    return report.package.schema.column(name).label


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(_cell, head))} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(value: str) -> str:
    return _one_line(value).replace("|", "\\|")


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "not defined"


def _signed(value: float | None) -> str:
    return "not defined" if value is None else f"{value:+.4f}"


def _percent(value: float | None) -> str:
    return "not defined" if value is None else f"{100 * value:.1f} %"


def _range(one: Estimate, *, signed: bool = False) -> str:
    if one.low is None or one.high is None:
        return "none"
    return f"{one.low:+.4f} to {one.high:+.4f}" if signed else f"{one.low:.4f} to {one.high:.4f}"


def _interval(one: Estimate, *, percent: bool = False) -> str:
    if one.low is None or one.high is None:
        return "no interval"
    return f"{_percent(one.low)} to {_percent(one.high)}" if percent else _range(one)

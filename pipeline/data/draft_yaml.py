"""Write a drafted declaration as YAML that its author corrects."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.text import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.data.drafted_problem import DraftedProblem
    from pipeline.data.schema_inference import InferredColumn
    from pipeline.data.target_inference import InferredTarget

__all__ = ["render_draft", "render_value"]

_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*( [A-Za-z0-9_]+)*")
_AMBIGUOUS_SCALARS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def render_draft(draft: DraftedProblem) -> str:
    """Return the declaration as the text of a file of conf/data/.

    Raises
    ------
    ConfigError
        When a name contains the start of an interpolation.
    """
    path, raw_file = draft.source_path, draft.raw_file
    times = [column.name for column in draft.columns if column.dtype == "datetime64[us]" and not column.nullable]
    alternative = f"  # or {{kind: by_time, test_share: 0.2, column: {_render_scalar(times[0])}}}" if times else ""
    settings = {"kind": raw_file.settings["kind"], "path": list(path) if isinstance(path, tuple) else path}
    shown_path = visible_line(path if isinstance(path, str) else f"{path[0]}, ...")
    lines = [
        f"# Which {visible_line(draft.target.column)} does a row of {shown_path} have?",
        "# Inferred from the file: correct types, categories and roles, and describe the columns",
        f"# (title, description, unit). Then: dvc exp run -S data={draft.name}",
        f"name: {draft.name}",
        *(f"# {visible_line(note)}" for note in raw_file.notes),
        f"source: {render_value(settings | dict(raw_file.settings))}",
        "profile: null",
        *_render_target(draft.target),
        "columns:",
        *(_render_column(column) for column in draft.columns),
        *(f"  # {visible_line(key)} is not read: it holds {held}" for key, held in raw_file.set_aside.items()),
        f"split: {{kind: {draft.split_kind}, test_share: 0.2}}{alternative}",
    ]
    return "\n".join(lines) + "\n"


def _render_target(target: InferredTarget) -> Iterator[str]:
    positive = "null" if target.positive is None else _render_scalar(target.positive)
    comment = "" if target.positive is None else "    # scores are the probability of this class"
    yield "target:"
    yield f"  column: {_render_scalar(target.column)}"
    yield f"  classes: [{', '.join(map(_render_scalar, target.classes))}]"
    yield f"  positive: {positive}{comment}"
    if target.n_unlabeled:
        parts = [f"{target.n_missing:,} without a label"] if target.n_missing else []
        parts += [f"{sum(target.rare.values()):,} of labels with too few rows"] if target.rare else []
        yield f"  unlabeled: set_aside    # rows: {', '.join(parts)}"


def _render_column(column: InferredColumn) -> str:
    parts = [f"dtype: {'category' if column.dtype == 'category' else _render_dtype(column.dtype)}"]
    parts += ["nullable: true"] if column.nullable else []
    parts += [f"role: {column.role}"] if column.role != "feature" else []
    parts += ["unique: true"] if column.unique else []
    parts += [f"checks: {render_value(column.checks)}"] if column.checks else []
    parts += ["unseen: other"] if column.is_open and column.role == "feature" else []
    parts += [f"{key}: {render_value(value)}" for key, value in column.keys.items()]
    parts += [f"unit: {_render_scalar(column.unit)}"] if column.unit is not None else []
    parts += [f"example: {render_value(column.example)}"] if column.example is not None else []
    reasons = [*([column.note] if column.note is not None else []), *column.assumptions]
    note = f"  # {visible_line('; '.join(reasons))}" if reasons else ""
    return f"  {_render_scalar(column.name)}: {{{', '.join(parts)}}}{note}"


def _render_dtype(dtype: str) -> str:
    return json.dumps(dtype) if "[" in dtype else dtype


def render_value(value: Any) -> str:
    """Return `value` in the flow style of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {render_value(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(render_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        mantissa, separator, exponent = repr(value).partition("e")
        sign = "" if exponent[:1] in ("", "-", "+") else "+"
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{separator}{sign}{exponent}"
    return _render_scalar(value) if isinstance(value, str) else str(value)


def _render_scalar(text: str) -> str:
    if "${" in text:
        raise ConfigError(f"{text!r}: a name with ${{ is not valid in settings; rename it in the file")
    is_bare = _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _AMBIGUOUS_SCALARS
    return text if is_bare else json.dumps(text, ensure_ascii=False)

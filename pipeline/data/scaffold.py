"""Generate conf/data/<name>.yaml for a file, as a draft for the user to correct."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.config.groups.data_config import CsvDialect
from pipeline.data.csv_reader import read_csv_as_text
from pipeline.data.file_import import find_imported_file
from pipeline.data.input_problems import to_data_error
from pipeline.data.schema_inference import (
    InferredColumn,
    infer_columns,
    infer_missing_values,
    kind_of_arrow_type,
)
from pipeline.data.target_inference import InferredTarget, infer_target
from pipeline.errors import ConfigError, Conflict, DataError, UsageError
from pipeline.files import write_text
from pipeline.project import paths
from pipeline.text import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.schema import ColumnKind

__all__ = ["DraftedProblem", "draft_problem", "write_draft"]

_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*( [A-Za-z0-9_]+)*")
_AMBIGUOUS_SCALARS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as texts, the kinds that its format declares, and the YAML of its source."""

    texts: pa.Table
    known_kinds: dict[str, ColumnKind | None]
    source_yaml: str


@dataclass(frozen=True, slots=True)
class DraftedProblem:
    """The declaration of a file, before it is written.

    Attributes
    ----------
    name : str
        Name of the problem.
    path : str
        File of the declaration, below the project's folder.
    source_path : str
        File of the rows, likewise.
    raw_file : RawFile
    target : InferredTarget
    columns : tuple of InferredColumn
    split_kind : str
    """

    name: str
    path: str
    source_path: str
    raw_file: RawFile
    target: InferredTarget
    columns: tuple[InferredColumn, ...]
    split_kind: str = "by_hash"

    def names(self, role: str) -> tuple[str, ...]:
        """Return the names of the columns with a role, in their order."""
        return tuple(column.name for column in self.columns if column.role == role)

    def ignoring(self, reasons: Mapping[str, str]) -> DraftedProblem:
        """Return the declaration that ignores some columns, with the reason of each."""
        columns = tuple(
            _ignored(column, reasons[column.name]) if column.name in reasons else column for column in self.columns
        )
        return replace_fields(self, columns=columns)


def _ignored(column: InferredColumn, reason: str) -> InferredColumn:
    """Return a column without checks, as its values are left alone."""
    dtype = "string" if column.dtype == "category" else column.dtype
    return InferredColumn(column.name, dtype, nullable=True, role="ignore", note=reason)


def draft_problem(
    file: Path, *, target: str, root: Path, name: str | None = None, replace: bool = False
) -> DraftedProblem:
    """Infer the declaration of a file of data/external/.

    Parameters
    ----------
    file : Path
        The imported file, or the file that it was copied from.
    target : str
        Column to predict.
    root : Path
        The project's folder.
    name : str, optional
        Name of the problem; by default that of the file.
    replace : bool
        Whether a declaration of this name may exist.

    Raises
    ------
    DataError
        When the file cannot be read strictly, the target has no classes, or no column is a feature.
    Conflict
        When there is a declaration of this name.
    """
    relative = find_imported_file(file, root=root)
    config_name = _check_config_name(
        name if name is not None else re.sub(r"\W+", "_", file.stem, flags=re.ASCII).strip("_").lower()
    )
    path = f"{paths.CONF}/data/{config_name}.yaml"
    if (root / path).exists() and not replace:
        raise Conflict(f"{path}: exists already; use --replace or another --name")
    raw_file = _read_parquet(root, relative) if relative.endswith(".parquet") else _read_csv(root, relative)
    inferred_target = infer_target(raw_file.texts, target)
    columns = infer_columns(raw_file.texts, target=target, known=raw_file.known_kinds)
    draft = DraftedProblem(config_name, path, relative, raw_file, inferred_target, tuple(columns))
    _check_features(draft)
    return draft


def _check_features(draft: DraftedProblem) -> None:
    if not draft.names("feature"):
        reasons = "; ".join(f"{column.name}: {column.note or column.role}" for column in draft.columns[:10])
        raise DataError(f"{draft.source_path}: no column besides {draft.target.column} is a feature ({reasons})")


def write_draft(draft: DraftedProblem, *, root: Path) -> Config:
    """Write a declaration, and return the settings with it.

    Raises
    ------
    DataError
        When no column is a feature.
    ConfigError
        When a name of the file is not valid in settings; nothing changes then.
    """
    _check_features(draft)
    path, text = root / draft.path, _render_config(draft)
    previous = path.read_text(encoding="utf-8") if path.exists() else None
    write_text(path, text)
    try:
        composition = compose([f"data={draft.name}"], conf=root / paths.CONF)
        return build_config(composition.values, where=str(path), origin=composition.origin)
    except ConfigError:
        if previous is None:
            path.unlink()
        else:
            write_text(path, previous)
        raise


def _check_config_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UsageError(
            f"--name {name!r}: a name starts with a letter and contains letters, digits and underscores only"
        )
    return name


def _read_csv(root: Path, relative: str) -> RawFile:
    path = root / relative
    delimiter = _detect_delimiter(path)
    texts, problems = read_csv_as_text(path, CsvDialect(delimiter=delimiter, null_values=("",)))
    if problems:
        raise to_data_error(problems)
    missing = infer_missing_values(texts)
    null_values = pa.array(missing, pa.string())
    cleaned = [pc.if_else(pc.is_in(column, value_set=null_values), None, column) for column in texts.columns]
    parts = ["kind: csv", f"path: {_render_scalar(relative)}"]
    parts += [f"delimiter: {json.dumps(delimiter)}"] if delimiter != "," else []
    parts += [f"null_values: [{', '.join(map(json.dumps, missing))}]"] if missing != ("",) else []
    return RawFile(pa.table(dict(zip(texts.column_names, cleaned, strict=True))), {}, f"{{{', '.join(parts)}}}")


def _detect_delimiter(path: Path) -> str:
    """Return the most frequent delimiter of the first line; a comma when it has none."""
    with path.open("rb") as stream:
        line = stream.readline(1 << 16)
    return max((",", ";", "\t", "|"), key=lambda delimiter: line.count(delimiter.encode()))


def _read_parquet(root: Path, relative: str) -> RawFile:
    try:
        table = pq.read_table(root / relative)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{relative}: not a readable Parquet file: {error}") from error
    texts: dict[str, pa.ChunkedArray] = {}
    known: dict[str, ColumnKind | None] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        known[name] = kind_of_arrow_type(values.type)
        moments = values.cast(pa.timestamp("us")) if known[name] == "datetime" else values
        texts[name] = (
            pc.strftime(moments, "%Y-%m-%dT%H:%M:%S") if known[name] == "datetime" else values.cast(pa.string())
        )
    return RawFile(pa.table(texts), known, f"{{kind: parquet, path: {_render_scalar(relative)}}}")


def _render_config(draft: DraftedProblem) -> str:
    times = [column.name for column in draft.columns if column.role == "time" and not column.nullable]
    alternative = f"  # or {{kind: by_time, test_share: 0.2, column: {_render_scalar(times[0])}}}" if times else ""
    lines = [
        f"# Which {visible_line(draft.target.column)} does a row of {visible_line(draft.source_path)} have?",
        "# Inferred from the file: correct types, categories and roles, and describe the columns",
        f"# (title, description, unit). Then: dvc exp run -S data={draft.name}",
        f"name: {draft.name}",
        f"source: {draft.raw_file.source_yaml}",
        "profile: null",
        *_render_target(draft.target),
        "columns:",
        *(_render_column(column) for column in draft.columns),
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
        parts = [f"{target.n_missing:,} rows have no label"] if target.n_missing else []
        parts += [f"{len(target.rare):,} labels have too few rows"] if target.rare else []
        yield f"  unlabeled: set_aside    # {', '.join(parts)}"


def _render_column(column: InferredColumn) -> str:
    parts = [f"dtype: {'category' if column.dtype == 'category' else _render_dtype(column.dtype)}"]
    parts += ["nullable: true"] if column.nullable else []
    parts += [f"role: {column.role}"] if column.role != "feature" else []
    parts += ["unique: true"] if column.unique else []
    parts += [f"checks: {_render_flow_value(column.checks)}"] if column.checks else []
    parts += ["unseen: other"] if column.is_open and column.role == "feature" else []
    parts += [f"example: {_render_flow_value(column.example)}"] if column.example is not None else []
    note = f"  # {visible_line(column.note)}" if column.note is not None else ""
    return f"  {_render_scalar(column.name)}: {{{', '.join(parts)}}}{note}"


def _render_dtype(dtype: str) -> str:
    return json.dumps(dtype) if "[" in dtype else dtype


def _render_flow_value(value: Any) -> str:
    """Return `value` in the flow style of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_render_flow_value(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_render_flow_value, value)) + "]"
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

"""Generate conf/data/<name>.yaml for a file, as a draft for the user to correct."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from dataclasses import replace as replace_fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.config.groups.data_config import CsvDialect
from pipeline.data.compressed_stream import open_rows_stream
from pipeline.data.config_names import check_config_name, name_after_files
from pipeline.data.csv_reader import read_csv_as_text
from pipeline.data.file_import import import_source
from pipeline.data.formats.typed_draft import check_same_names, draft_typed_files
from pipeline.data.input_problems import to_data_error
from pipeline.data.schema_inference import (
    InferredColumn,
    InferredTarget,
    infer_columns,
    infer_missing_values,
    infer_target,
)
from pipeline.errors import ConfigError, Conflict, DataError
from pipeline.files import write_text
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.schema import ColumnKind

__all__ = ["ScaffoldedConfig", "scaffold_config"]

_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*( [A-Za-z0-9_]+)*")
_AMBIGUOUS_SCALARS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


@dataclass(frozen=True, slots=True)
class ScaffoldedConfig:
    """The generated file, and the role of each column in it."""

    path: str
    name: str
    n_rows: int
    notes: tuple[str, ...]
    set_aside: tuple[str, ...]
    features: tuple[str, ...]
    ids: tuple[str, ...]
    times: tuple[str, ...]
    ignored: tuple[str, ...]
    classes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class _RawFile:
    """Files as texts, the kinds that their format declares, the keys of their source, and what was assumed."""

    texts: pa.Table
    known_kinds: Mapping[str, ColumnKind | None]
    settings: Mapping[str, Any]
    set_aside: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def scaffold_config(
    files: Sequence[Path],
    *,
    target: str,
    root: Path,
    name: str | None = None,
    table: str | None = None,
    replace: bool = False,
) -> ScaffoldedConfig:
    """Write conf/data/<name>.yaml for files of rows, and check that it composes.

    Parameters
    ----------
    files : sequence of Path
        Files anywhere, which are copied into data/external/ first; one may be a pattern with *.
    target : str
        Column to predict.
    root : Path
        The project's folder.
    name : str, optional
        Name of the problem; by default that of the file.
    table : str, optional
        Table of a database file; by default the only one.
    replace : bool
        Whether to overwrite a declaration of this name.

    Raises
    ------
    DataError
        When the file cannot be read strictly, or the target has no classes.
    Conflict
        When there is a declaration of this name.
    ConfigError
        When a name of the file is not valid in settings; nothing is written then.
    """
    config_name = check_config_name(name) if name is not None else name_after_files(files)
    path = root / paths.CONF / "data" / f"{config_name}.yaml"
    if path.exists() and not replace:
        raise Conflict(f"{paths.CONF}/data/{config_name}.yaml: exists already; use --replace or another --name")
    source = import_source(files, root=root)
    raw_file = _read_files([root / path for path in source.files], table=table)
    inferred_target = infer_target(raw_file.texts, target)
    columns = infer_columns(raw_file.texts, target=target, known=raw_file.known_kinds)
    if not any(column.role == "feature" for column in columns):
        raise DataError(f"{source.files[0]}: no column besides {target} looks like a feature")
    text = _render_config(config_name, source.path, raw_file, target=inferred_target, columns=columns)
    _write_and_validate(path, text, config_name, root=root)
    names = {
        role: tuple(column.name for column in columns if column.role == role)
        for role in ("feature", "id", "time", "ignore")
    }
    return ScaffoldedConfig(
        path.relative_to(root).as_posix(),
        config_name,
        raw_file.texts.num_rows,
        raw_file.notes,
        tuple(f"{key} ({held})" for key, held in raw_file.set_aside.items()),
        names["feature"],
        names["id"],
        names["time"],
        names["ignore"],
        inferred_target.classes,
    )


def _read_files(files: Sequence[Path], *, table: str | None) -> _RawFile:
    """Return the rows of all files, which have the same columns."""
    draft = draft_typed_files(files, table=table)
    if draft is not None:
        return _RawFile(draft.texts, draft.known_kinds, draft.settings, draft.set_aside, draft.notes)
    parts = [_read_csv(file) for file in files]
    first = parts[0]
    for file, part in zip(files, parts, strict=True):
        check_same_names(file, part.texts.column_names, files[0], first.texts.column_names)
    names = first.texts.column_names
    return replace_fields(first, texts=pa.concat_tables([part.texts.select(names) for part in parts]))


def _read_csv(path: Path) -> _RawFile:
    delimiter = _detect_delimiter(path)
    texts, problems = read_csv_as_text(path, CsvDialect(delimiter=delimiter))
    if problems:
        raise to_data_error(problems)
    missing = infer_missing_values(texts)
    null_values = pa.array(missing, pa.string())
    cleaned = [pc.if_else(pc.is_in(column, value_set=null_values), None, column) for column in texts.columns]
    settings: dict[str, Any] = {"kind": "csv"}
    settings |= {"delimiter": delimiter} if delimiter != "," else {}
    settings |= {"null_values": list(missing)} if missing != ("",) else {}
    return _RawFile(pa.table(dict(zip(texts.column_names, cleaned, strict=True))), {}, settings)


def _detect_delimiter(path: Path) -> str:
    """Return the most frequent delimiter of the first line; a comma when it has none."""
    with open_rows_stream(path) as stream:
        line = stream.readline(1 << 16)
    return max((",", ";", "\t", "|"), key=lambda delimiter: line.count(delimiter.encode()))


def _write_and_validate(path: Path, text: str, name: str, *, root: Path) -> None:
    previous = path.read_text(encoding="utf-8") if path.exists() else None
    write_text(path, text)
    try:
        composition = compose([f"data={name}"], conf=root / paths.CONF)
        build_config(composition.values, where=str(path), origin=composition.origin)
    except ConfigError:
        if previous is None:
            path.unlink()
        else:
            write_text(path, previous)
        raise


def _render_config(
    name: str,
    path: str | tuple[str, ...],
    raw_file: _RawFile,
    *,
    target: InferredTarget,
    columns: list[InferredColumn],
) -> str:
    positive = "null" if target.positive is None else _render_scalar(target.positive)
    comment = "" if target.positive is None else "    # scores are the probability of this class"
    times = [column.name for column in columns if column.role == "time" and not column.nullable]
    alternative = f"  # or {{kind: by_time, test_share: 0.2, column: {_render_scalar(times[0])}}}" if times else ""
    settings = {"kind": raw_file.settings["kind"], "path": list(path) if isinstance(path, tuple) else path}
    shown_path = _collapse_whitespace(path if isinstance(path, str) else f"{path[0]}, ...")
    lines = [
        f"# Which {_collapse_whitespace(target.column)} does a row of {shown_path} have?",
        "# Inferred from the file: correct types, ranges, categories and roles, and describe the columns",
        f"# (title, description, unit). Then: dvc exp run -S data={name}",
        f"name: {name}",
        *(f"# {_collapse_whitespace(note)}" for note in raw_file.notes),
        f"source: {_render_flow_value(settings | dict(raw_file.settings))}",
        "profile: null",
        "target:",
        f"  column: {_render_scalar(target.column)}",
        f"  classes: [{', '.join(map(_render_scalar, target.classes))}]",
        f"  positive: {positive}{comment}",
        "columns:",
        *(_render_column(column) for column in columns),
        *(f"  # {_collapse_whitespace(key)} is not read: it holds {held}" for key, held in raw_file.set_aside.items()),
        f"split: {{kind: by_hash, test_share: 0.2}}{alternative}",
    ]
    return "\n".join(lines) + "\n"


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())


def _render_column(column: InferredColumn) -> str:
    parts = [f"dtype: {'category' if column.dtype == 'category' else _render_dtype(column.dtype)}"]
    parts += ["nullable: true"] if column.nullable else []
    parts += [f"role: {column.role}"] if column.role != "feature" else []
    parts += ["unique: true"] if column.unique else []
    parts += [f"checks: {_render_flow_value(column.checks)}"] if column.checks else []
    parts += [f"example: {_render_flow_value(column.example)}"] if column.example is not None else []
    note = f"  # {column.note}" if column.note is not None else ""
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

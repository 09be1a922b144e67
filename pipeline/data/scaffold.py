"""Generate conf/data/<name>.yaml for a file, as a draft for the user to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data.config_names import check_config_name, name_after_files
from pipeline.data.csv_detection import detect_csv
from pipeline.data.draft_yaml import render_draft
from pipeline.data.drafted_problem import DraftedProblem, RawFile
from pipeline.data.file_import import import_source
from pipeline.data.formats.typed_draft import check_same_names, draft_typed_files
from pipeline.data.schema_inference import infer_columns
from pipeline.data.target_inference import infer_target
from pipeline.errors import ConfigError, Conflict, DataError
from pipeline.files import write_text
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.config.root_config import Config

__all__ = ["draft_problem", "write_draft"]


def draft_problem(
    files: Sequence[Path],
    *,
    target: str,
    root: Path,
    name: str | None = None,
    table: str | None = None,
    replace: bool = False,
) -> DraftedProblem:
    """Infer the declaration of files of rows.

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
        Whether a declaration of this name may exist.

    Raises
    ------
    DataError
        When the file cannot be read strictly, the target has no classes, or no column is a feature.
    Conflict
        When there is a declaration of this name.
    """
    config_name = check_config_name(name) if name is not None else name_after_files(files)
    path = f"{paths.CONF}/data/{config_name}.yaml"
    if (root / path).exists() and not replace:
        raise Conflict(f"{path}: exists already; use --replace or another --name")
    source = import_source(files, root=root)
    raw_file = _read_files([root / file for file in source.files], table=table)
    inferred_target = infer_target(raw_file.texts, target, notes=raw_file.notes)
    columns = infer_columns(raw_file.texts, target=target, known=raw_file.known_kinds)
    draft = DraftedProblem(config_name, path, source.path, raw_file, inferred_target, tuple(columns))
    draft = draft.with_common_null_values() if raw_file.settings["kind"] == "csv" else draft
    _check_features(draft)
    return draft


def _check_features(draft: DraftedProblem) -> None:
    if not draft.names("feature"):
        reasons = "; ".join(f"{column.name}: {column.note or column.role}" for column in draft.columns[:10])
        raise DataError(f"{draft.path}: no column besides {draft.target.column} is a feature ({reasons})")


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
    path, text = root / draft.path, render_draft(draft)
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


def _read_files(files: Sequence[Path], *, table: str | None) -> RawFile:
    """Return the rows of all files, which have the same columns."""
    draft = draft_typed_files(files, table=table)
    if draft is not None:
        return RawFile(draft.texts, draft.known_kinds, draft.settings, draft.set_aside, draft.notes)
    return _read_csv_files(files)


def _read_csv_files(files: Sequence[Path]) -> RawFile:
    detected = detect_csv(files)
    names = detected.tables[0].column_names
    for file, table in zip(files, detected.tables, strict=True):
        check_same_names(file, table.column_names, files[0], names)
    texts = pa.concat_tables([table.select(names) for table in detected.tables])
    settings: dict[str, Any] = {"kind": "csv", **detected.dialect.as_settings()}
    return RawFile(texts, {}, settings, notes=tuple(finding.note for finding in detected.findings))

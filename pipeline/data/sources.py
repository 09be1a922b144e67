"""Fetch the rows of the declared source, with a fingerprint that identifies them."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.config.groups.source_config import FileSource, LabeledSource
from pipeline.data.source_files import check_source_files, fingerprint_files, list_source_files, read_source_files
from pipeline.data.source_objects import is_address
from pipeline.errors import ConfigError, DataError, DependencyUnavailable
from pipeline.lookup import LookupTable
from pipeline.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from pipeline.config.groups.data_config import DataConfig
    from pipeline.config.groups.source_config import SourceConfig

__all__ = ["SOURCES", "FetchedRows", "check_source", "content_hash", "fetch_rows"]


@dataclass(frozen=True, slots=True)
class FetchedRows:
    """Rows as declared, and their fingerprint.

    `fingerprint` holds `kind`, `rows`, `columns`, `rows_sha256` (over the typed values), for files `files` (SHA-256 by
    path, ETag by address), and for labeled rows `until`, the moment after the last one (microseconds since 1970). It
    does not depend on time or machine.
    """

    frame: pd.DataFrame
    fingerprint: dict[str, Any]


class SourceReader(Protocol):
    """Reads the rows of one kind of source below `root`."""

    def __call__(self, config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame: ...


SOURCES: LookupTable[SourceReader] = LookupTable("data.source.kind")


def fetch_rows(config: DataConfig, *, root: Path) -> FetchedRows:
    """Return the rows that `config.source` declares.

    Parameters
    ----------
    config : DataConfig
        The group `data`.
    root : Path
        The project's folder, below which files are.

    Returns
    -------
    FetchedRows
        Its frame has nullable dtypes; declared columns in their order, then the target.

    Raises
    ------
    DataError
        When rows or files differ from the declaration, with each place.
    ConfigError
        When the declaration contradicts itself (a profile, a query).
    DependencyUnavailable
        When a database, its driver or an object store is unavailable.
    """
    schema = Schema.from_config(config)
    source = config.source
    file_sources = [part for part in _parts(source) if isinstance(part, FileSource)]
    in_stores = [part for part in file_sources if any(map(is_address, part.patterns))]
    before = _fingerprints(in_stores, root)
    frame = SOURCES[source.kind](config, schema, root=root)
    fingerprint: dict[str, Any] = {
        "kind": source.kind,
        "rows": len(frame),
        "columns": list(frame.columns),
        "rows_sha256": content_hash(frame),
    }
    if file_sources:
        fingerprint["files"] = _fingerprints(file_sources, root)
        _require_unchanged(before, fingerprint["files"])
    if isinstance(source, LabeledSource):
        from pipeline.data.labeled_source import snapshot_end

        fingerprint["until"] = snapshot_end(root / source.path)
    return FetchedRows(frame, fingerprint)


def _fingerprints(file_sources: Sequence[FileSource], root: Path) -> dict[str, str]:
    return {name: value for part in file_sources for name, value in fingerprint_files(part, root=root).items()}


def _require_unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    """Raise if an object is another one after the read; local files have an owner who waits."""
    for name in sorted({name for name in (*before, *after) if is_address(name)}):
        if before.get(name) != after.get(name):
            raise DataError(f"{name}: changed while it was read; run the stage again")


def _parts(source: SourceConfig) -> list[SourceConfig]:
    """Return a source; of labeled rows the file of the snapshot and the source of the rows before it."""
    if not isinstance(source, LabeledSource):
        return [source]
    return [source.snapshot] if source.history is None else [source.snapshot, source.history]


def check_source(config: DataConfig, schema: Schema, *, root: Path) -> None:
    """Refuse a source whose declaration contradicts itself, or whose file the project lacks; no row is read.

    Raises
    ------
    ConfigError
        When the query is not a single ordered SELECT, or profile and declared columns do not fit together.
    DataError
        When the file is neither there nor tracked by DVC, or is a link, a folder, a pipe or a device.
    """
    from pipeline.data.labeled_source import history_schema
    from pipeline.data.synthetic import check_profile

    for source in _parts(config.source):
        if source.kind == "sql":
            _check_query(source.query)
        if isinstance(source, FileSource):
            check_source_files(source, root=root)
    if config.profile is not None:
        check_profile(config.profile, history_schema(schema))


def content_hash(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of names, dtypes and values of `frame`, whatever its file format."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digest = hashlib.sha256()
    for name in frame.columns:
        digest.update(f"{name}\0{frame[name].dtype}\0{len(frame)}\0".encode())
        values = pa.array(frame[name])
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        digest.update(pc.is_valid(values).cast(pa.uint8()).to_numpy())
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            texts = pc.fill_null(values, "").cast(pa.large_string())
            digest.update(pc.binary_length(texts).to_numpy())
            digest.update(_text_bytes(texts))
        else:
            # What stands below a missing value differs by reader.
            numbers = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
            numbers = numbers.cast(pa.uint8()) if pa.types.is_boolean(values.type) else numbers
            digest.update(pc.fill_null(numbers, 0).to_numpy())
    return digest.hexdigest()


def _text_bytes(texts: pa.LargeStringArray) -> memoryview:
    """Return the UTF-8 of all texts, one after the other; `texts` has no missing value."""
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return memoryview(b"")
    ends = memoryview(offsets).cast("q")[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(content)[ends[0] : ends[-1]]


@SOURCES.add("synthetic")
def _fetch_synthetic(config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame:  # noqa: ARG001 - reads no file
    from pipeline.data.synthetic import generate_rows

    assert config.source.kind == "synthetic"  # noqa: S101 - narrows the type; the table selected it
    assert config.profile is not None  # noqa: S101 - DataConfig checks it
    return generate_rows(config.profile, schema, n_rows=config.source.rows, seed=config.source.seed)


@SOURCES.add("csv")
@SOURCES.add("json")
@SOURCES.add("parquet")
@SOURCES.add("arrow")
@SOURCES.add("excel")
@SOURCES.add("sqlite")
@SOURCES.add("duckdb")
def _fetch_files(config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame:
    assert isinstance(config.source, FileSource)  # noqa: S101 - narrows the type
    return read_source_files(config.source, schema, config, root=root)


@SOURCES.add("labeled")
def _fetch_labeled(config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame:
    from pipeline.data.labeled_source import read_with_history

    source = config.source
    assert isinstance(source, LabeledSource)  # noqa: S101 - narrows the type
    list_source_files(source.snapshot, root=root)
    if source.history is None:
        return read_with_history(source, schema, root=root, read_history=None)
    before = config.model_copy(update={"source": source.history})
    fetch = SOURCES[source.history.kind]
    return read_with_history(source, schema, root=root, read_history=lambda of: fetch(before, of, root=root))


@SOURCES.add("bundled")
def _fetch_bundled(config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame:  # noqa: ARG001 - reads no file
    import pyarrow as pa
    from sklearn import datasets

    from pipeline.data.coercion import coerce_to_schema

    assert config.source.kind == "bundled"  # noqa: S101 - narrows the type
    bunch = getattr(datasets, f"load_{config.source.name}")()
    columns = {_to_identifier(name): pa.array(bunch.data[:, i]) for i, name in enumerate(bunch.feature_names)}
    classes = [_to_identifier(str(name)) for name in bunch.target_names]
    columns[schema.target.column] = pa.array([classes[code] for code in bunch.target], pa.string())
    return coerce_to_schema(pa.table(columns), schema, where=f"scikit-learn's {config.source.name}")


def _to_identifier(name: str) -> str:
    """Return a name of letters, digits and underscores: `sepal length (cm)` becomes `sepal_length_cm`."""
    return re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")


@SOURCES.add("sql")
def _fetch_sql(config: DataConfig, schema: Schema, *, root: Path) -> pd.DataFrame:  # noqa: ARG001 - reads no file
    from pipeline.data.coercion import coerce_to_schema

    assert config.source.kind == "sql"  # noqa: S101 - narrows the type
    url_env = config.source.url_env
    table = _run_query(_check_query(config.source.query), _database_url(url_env), url_env)
    return coerce_to_schema(table, schema, where=f"the query of ${url_env}")


def _check_query(text: str) -> str:
    query = text.strip().rstrip(";")
    if not re.match(r"(?i)(select|with)\b", query) or ";" in query:
        raise ConfigError("data.source.query: expected a single SELECT that changes nothing")
    if not re.search(r"(?i)\border\s+by\b", query):
        raise ConfigError("data.source.query: has no ORDER BY; without it the order of rows, and results, may differ")
    return query


def _database_url(url_env: str) -> str:
    if not os.environ.get(url_env):
        raise DependencyUnavailable(
            f"data.source.url_env: the environment variable {url_env} is not set; set it to an SQLAlchemy address,"
            " such as sqlite:////path/to/file.db or postgresql+psycopg://user@host/name"
        )
    return os.environ[url_env]


def _run_query(query: str, url: str, url_env: str) -> pa.Table:
    """Return the result of a query; errors name the variable, never the address with its password."""
    import pyarrow as pa
    import sqlalchemy as sa

    try:
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ImportError) as error:
        reason = error.name if isinstance(error, ImportError) else "not an SQLAlchemy address"
        raise DependencyUnavailable(f"${url_env}: no driver ({reason}); install it or correct the address") from error
    try:
        with engine.connect() as connection:
            result = connection.execute(sa.text(query))
            names = list(result.keys())
            rows = result.fetchall()
            connection.rollback()
    except sa.exc.SQLAlchemyError as error:
        message = " ".join(str(getattr(error, "orig", None) or type(error).__name__).split())[:300]
        raise DependencyUnavailable(f"the database of ${url_env}: {message}") from error
    finally:
        engine.dispose()
    if len(set(names)) != len(names):
        raise ConfigError(f"data.source.query: two columns of the result have one name: {', '.join(names)}")
    return pa.table({name: _to_array([row[i] for row in rows], name, url_env) for i, name in enumerate(names)})


def _to_array(values: list[Any], name: str, url_env: str) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values)
    except pa.ArrowException:
        # The reason quotes a value, and the column may be private.
        raise DataError(
            f"the query of ${url_env}: {name}: holds values of several types; convert them with CAST"
        ) from None

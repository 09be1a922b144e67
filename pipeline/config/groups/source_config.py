"""Sources of rows: the part `source` of group `data`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config.file_formats import FileKind
from pipeline.config.groups.section import Positive, Section, setting
from pipeline.errors import UsageError
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ArrowSource",
    "BundledSource",
    "CsvDialect",
    "CsvSource",
    "DeclaredSource",
    "DuckdbSource",
    "Encoding",
    "ExcelSource",
    "FileSource",
    "JsonSource",
    "LabeledSource",
    "ParquetSource",
    "SourceConfig",
    "SqlSource",
    "SqliteSource",
    "SyntheticSource",
]


class SyntheticSource(Section):
    """Rows generated from `data.profile`; a seed gives the same rows on any machine."""

    kind: Literal["synthetic"]
    rows: Positive = setting("Rows to generate", unit="rows")
    seed: int = setting(
        "Seed of the generator; separate from the global seed, so that a sweep over seeds uses the same rows", ge=0
    )


Encoding = Literal[
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "cp1252",
    "latin-1",
    "iso-8859-2",
    "iso-8859-15",
    "cp1250",
    "cp1251",
    "koi8-r",
    "mac-roman",
    "shift-jis",
    "gb18030",
    "euc-kr",
    "big5",
]

# Stage `ingest` depends on this folder, so that a changed file runs the graph again.
_EXTERNAL_PATH = re.compile(r"data/external/([^/.*][^/*]*/)*[^/.][^/]*")


def _check_external_path(value: Any) -> Any:
    if not isinstance(value, str) or _EXTERNAL_PATH.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no file below data/external/, such as data/external/rows.csv")
    return value


def _check_source_path(value: Any) -> Any:
    paths = value if isinstance(value, list | tuple) else [value]
    for path in paths:
        if isinstance(path, str) and "://" in path:
            _check_address(path)
        else:
            _check_external_path(path)
    if len(set(paths)) != len(paths) or not paths:
        raise ValueError("expected at least one file, each listed once")
    return value if isinstance(value, str) else tuple(value)


def _check_address(address: str) -> None:
    try:
        path = StoragePath.parse(address)
    except UsageError as error:
        raise ValueError(str(error)) from None  # its message does not repeat credentials
    folder = path.path.rpartition("/")[0]
    if path.is_local or not folder or "*" in folder:
        raise ValueError(f"{address!r} is no file in an object store, such as s3://BUCKET/rows.csv")


class FileSource(Section):
    """Files below data/external/ or in an object store; rows are in the order of the list, or of the sorted names."""

    kind: FileKind
    path: Annotated[str | tuple[str, ...], BeforeValidator(_check_source_path)] = setting(
        "File below data/external/ or address of an object (s3://, gs://, az://), a list of them, or a pattern with *"
    )

    @property
    def format_keys(self) -> dict[str, Any]:
        """The kind and, of other formats than CSV, its keys that say where the rows are, as plain values."""
        keys = self.model_dump(mode="json", exclude={"kind", "path"}, exclude_defaults=True)
        return {"kind": self.kind, **({} if self.kind == "csv" else keys)}

    @property
    def patterns(self) -> tuple[str, ...]:
        """The declared paths and patterns."""
        return (self.path,) if isinstance(self.path, str) else self.path


class CsvDialect(Section):
    """Dialect of CSV text: how its bytes become rows of cells, and how numbers are written in all of its columns."""

    encoding: Encoding = setting("Encoding of the bytes; utf-8 may start with a byte order mark", default="utf-8")
    delimiter: str = setting("One ASCII character between fields", default=",", pattern=r"^[,;|\t :~^!#$%&*/]$")
    decimal: Literal[".", ","] = setting("Decimal sign of every number column", default=".")
    thousands: Literal[",", ".", " ", "'", "_"] | None = setting(
        "Sign between groups of three digits in every number column; a blank includes no-break spaces", default=None
    )
    null_values: tuple[str, ...] = setting("Texts that mark a missing value, in a column of any kind", default=("",))
    skip_lines: int = setting("Lines above the header, such as titles", unit="lines", default=0, ge=0, le=10_000)
    names: tuple[Annotated[str, Field(min_length=1)], ...] = setting(
        "Names of the columns of a file without a header line; empty where it has one", default=()
    )
    comment: str | None = setting("First character of lines that are left out", default=None, pattern=r"^[#%!;*/@>-]$")
    index_column: str | None = setting(
        "Name of a first column that the header leaves unnamed, such as the index of pandas or the row names of R",
        default=None,
        min_length=1,
    )
    multiline: bool = setting("Whether cells in quotes may contain line breaks", default=False)
    padded: bool = setting("Whether blanks around names and cells are removed; those inside quotes stay", default=False)
    skip_blank_lines: bool = setting(
        "Whether lines without a value are left out everywhere; at the end of a file they always are", default=False
    )
    trailing_delimiter: bool = setting("Whether lines may end with empty fields beyond the header", default=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> CsvDialect:
        """Return the dialect that `as_settings` wrote."""
        return cls.model_validate(settings, strict=False)

    def as_settings(self) -> dict[str, Any]:
        """Return the settings that differ from the default, as plain values."""
        plain = self.model_dump(mode="json", include=set(CsvDialect.model_fields))
        defaults = CsvDialect().model_dump(mode="json")
        return {key: value for key, value in plain.items() if value != defaults[key]}

    @model_validator(mode="after")
    def _check_signs(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(f"thousands: {self.thousands!r} is the decimal sign too; expected another sign, or null")
        if self.comment == self.delimiter:
            raise ValueError(f"comment: {self.comment!r} is the delimiter too; expected another character, or null")
        return self


class CsvSource(FileSource, CsvDialect):
    """CSV files, parsed strictly, and their dialect."""

    kind: Literal["csv"]


class JsonSource(FileSource):
    """Files with one JSON object in each line, or one array of objects."""

    kind: Literal["json"]


class ParquetSource(FileSource):
    """Parquet files."""

    kind: Literal["parquet"]


class ArrowSource(FileSource):
    """Files of Arrow (Feather)."""

    kind: Literal["arrow"]


class ExcelSource(FileSource):
    """Workbooks of Excel or LibreOffice."""

    kind: Literal["excel"]
    sheet: str | None = setting("Name of the sheet; null for the first one with cells", default=None)
    skip_lines: int = setting("Rows above the row of column names", default=0, ge=0)


class SqliteSource(FileSource):
    """Files of SQLite, opened read-only."""

    kind: Literal["sqlite"]
    table: str | None = setting("Name of the table or view; null for the only one", default=None)


class DuckdbSource(FileSource):
    """Files of DuckDB, opened read-only and without access to other files or the network."""

    kind: Literal["duckdb"]
    table: str | None = setting("Name of the table or view; null for the only one", default=None)


class SqlSource(Section):
    """Rows of an SQL query; an environment variable holds the database URL."""

    kind: Literal["sql"]
    url_env: str = setting("Environment variable with the SQLAlchemy URL", min_length=1)
    query: str = setting("One SELECT with an ORDER BY that fixes the order", min_length=1)


class BundledSource(Section):
    """A data set that comes with scikit-learn."""

    kind: Literal["bundled"]
    name: Literal["breast_cancer", "wine", "iris"] = setting("Name of the data set")


_Declared = (
    SyntheticSource
    | CsvSource
    | JsonSource
    | ParquetSource
    | ArrowSource
    | ExcelSource
    | SqliteSource
    | DuckdbSource
    | SqlSource
    | BundledSource
)
DeclaredSource = Annotated[_Declared, Field(discriminator="kind")]


class LabeledSource(Section):
    """Logged predictions with their outcomes, from a snapshot that a retrain wrote, beside the rows of before."""

    kind: Literal["labeled"]
    path: Annotated[str, BeforeValidator(_check_external_path)] = setting(
        "Snapshot below data/external/labeled/, written by a retrain"
    )
    half_life_days: float | None = setting(
        "Age at which a row has half the weight of the newest one; null for equal weights",
        unit="days",
        default=None,
        gt=0,
    )
    history: DeclaredSource | None = setting("Source of the rows before the snapshot; null for none", default=None)
    history_at: str | None = setting(
        "Moment of the rows of `history` in UTC, such as 2026-01-31T00:00:00; null for that of the first labeled row",
        default=None,
    )

    @property
    def snapshot(self) -> ParquetSource:
        """The file of the snapshot."""
        return ParquetSource(kind="parquet", path=self.path)

    @field_validator("history_at")
    @classmethod
    def _check_moment(cls, value: str | None) -> str | None:
        if value is not None and datetime.fromisoformat(value).tzinfo is not None:
            raise ValueError(f"{value!r} has an offset; expected a moment in UTC without one")
        return value


SourceConfig = Annotated[_Declared | LabeledSource, Field(discriminator="kind")]

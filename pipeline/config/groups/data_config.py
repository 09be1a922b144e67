"""Group `data`: the source, the target, the columns and the split of one problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from pipeline.config.file_formats import FileKind
from pipeline.config.groups.section import Positive, Section, Share, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ArrowSource",
    "BundledSource",
    "ColumnConfig",
    "CsvDialect",
    "CsvSource",
    "DataConfig",
    "DuckdbSource",
    "ExcelSource",
    "FileSource",
    "JsonSource",
    "MixtureComponent",
    "ParquetSource",
    "SourceConfig",
    "SplitConfig",
    "SqlSource",
    "SqliteSource",
    "SyntheticProfile",
    "SyntheticSource",
    "TargetConfig",
]

Dtype = Literal["Int64", "Float64", "boolean", "string", "category", "datetime64[us]"]


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
    paths = value if isinstance(value, list | tuple) else [value]
    for path in paths:
        if not isinstance(path, str) or _EXTERNAL_PATH.fullmatch(path) is None:
            raise ValueError(f"{path!r} is no file below data/external/, such as data/external/rows.csv")
    if len(set(paths)) != len(paths) or not paths:
        raise ValueError("expected at least one file, each listed once")
    return value if isinstance(value, str) else tuple(value)


class FileSource(Section):
    """Files below data/external/; rows follow each other in the order of the list, or of the sorted names."""

    kind: FileKind
    path: Annotated[str | tuple[str, ...], BeforeValidator(_check_external_path)] = setting(
        "File below data/external/, a list of files, or a pattern with * in place of a part of the name"
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


SourceConfig = Annotated[
    SyntheticSource
    | CsvSource
    | JsonSource
    | ParquetSource
    | ArrowSource
    | ExcelSource
    | SqliteSource
    | DuckdbSource
    | SqlSource
    | BundledSource,
    Field(discriminator="kind"),
]


class MixtureComponent(Section):
    """One mixture component: its features are independent."""

    share: Share = setting("Probability of the component")
    label: str = setting("Class of its rows")
    weights: dict[str, tuple[float, ...]] = setting(
        "By column: relative weight of each value, 0..max for numbers, in the order of `isin` for categories"
    )
    missing_count: tuple[float, ...] = setting("Probability that a row has 0, 1, 2, ... missing values")
    missing_rate: dict[str, float] = setting("By column: relative weight of being missing")


class SyntheticProfile(Section):
    """The distribution of a synthetic data set."""

    components: dict[str, MixtureComponent]


class ColumnConfig(Section):
    """One column: first the keys of Pandera's YAML format, then our own."""

    dtype: Dtype = setting("Type of the values")
    nullable: bool = setting("Whether a value may be missing", default=False)
    unique: bool = setting("Whether values must be unique", default=False)
    title: str | None = setting("Display name", default=None)
    description: str | None = setting("Meaning of the values", default=None)
    checks: dict[str, JsonValue] = setting("Pandera checks by name, with their arguments", default={})
    role: Literal["feature", "id", "ignore", "time"] = setting("Role of the column", default="feature")
    unseen: Literal["other", "refuse"] = setting(
        "What a word that `isin` does not list is: `other` encodes it and warns, `refuse` rejects the row",
        default="refuse",
    )
    encode: str | dict[str, JsonValue] = setting(
        "How a feature becomes numbers: the name of a method, or `method` with keys of its settings", default="auto"
    )
    unit: str | None = setting("Unit of the values", default=None)
    format: str | None = setting(
        "Form of texts: of datetimes a strptime form such as %d.%m.%Y, or epoch_s, epoch_ms, epoch_us, epoch_ns,"
        " epoch_days; of Float64 duration, in seconds",
        default=None,
    )
    zone: str | None = setting(
        "IANA zone of moments without an offset; moments with an offset are accepted, all are stored in UTC",
        default=None,
    )
    true_values: tuple[str, ...] = setting("Words of a boolean column that mean true", default=())
    false_values: tuple[str, ...] = setting("Words of a boolean column that mean false", default=())
    null_values: tuple[str, ...] = setting(
        "Texts that mark a missing value in this column, besides those of the source", default=()
    )
    strip: tuple[str, ...] = setting("Texts around a number that are not part of it, such as $ or %", default=())
    example: JsonValue = setting("A typical value", default=None)
    store: Literal["full", "bin", "hash", "drop"] = setting(
        "How the prediction log stores it; if not in full, the column is private", default="full"
    )
    drift_limit: float | None = setting(
        "Drift threshold of this feature; overrides the group `drift`", default=None, gt=0
    )
    leakage: Literal["refuse", "accept"] = setting(
        "Whether the graph accepts that the column reveals the class: only where it is known before the outcome",
        default="refuse",
    )
    protected: bool = setting("Whether its slices are always reported", default=False)

    @model_validator(mode="after")
    def _check_unseen(self) -> Self:
        if self.unseen == "other" and self.dtype != "category":
            raise ValueError(
                f"unseen: found other with dtype {self.dtype}; only a category column lists its words: write"
                " dtype: category with checks: {isin: [...]}, or leave the key out"
            )
        return self


class TargetConfig(Section):
    """The column to predict."""

    column: str = setting("Name of the column", min_length=1)
    classes: tuple[str, ...] = setting("Classes in a fixed order", min_length=2)
    positive: str | None = setting("Class that scores refer to; null with more than two classes", default=None)
    unlabeled: Literal["refuse", "set_aside"] = setting(
        "Rows whose label is missing or is none of the classes: they stop the graph, or are quarantined and counted",
        default="refuse",
    )
    title: str | None = setting("Display name", default=None)
    description: str | None = setting("Meaning of the classes", default=None)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: a class occurs twice")
        for name in self.classes:
            if "\x1e" in name:
                raise ValueError(
                    f"classes: {name!r} contains the character U+001E, which separates rows of the log; remove it"
                )
        if len(self.classes) == 2 and self.positive not in self.classes:
            raise ValueError(f"positive: {self.positive!r} is not one of {', '.join(self.classes)}")
        if len(self.classes) > 2 and self.positive is not None:
            raise ValueError("positive: must be null with more than two classes")
        return self


class SplitConfig(Section):
    """How rows are split into train and test."""

    kind: str = setting("Splitter: by_hash, stratified, random, by_time")
    test_share: float = setting("Share of rows in the test part", gt=0, lt=1)
    column: str | None = setting("Time column of by_time", default=None)


class DataConfig(Section):
    """One problem: its source, target, columns and split."""

    name: str = setting("Name of the problem", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    source: SourceConfig
    target: TargetConfig
    columns: dict[str, ColumnConfig] = setting("One entry for each column besides the target", min_length=1)
    unique: tuple[str, ...] | None = setting("Columns that together identify a row", default=None)
    split: SplitConfig
    profile: SyntheticProfile | None = setting("Distribution of the synthetic source", default=None)

    @property
    def csv_dialect(self) -> CsvDialect:
        """Dialect of CSV files of this problem: that of its CSV source, else the default."""
        return self.source if isinstance(self.source, CsvSource) else CsvDialect()

    @property
    def format_keys(self) -> dict[str, Any]:
        """Kind of a source of files and, of other formats than CSV, its keys that say where the rows are."""
        return self.source.format_keys if isinstance(self.source, FileSource) else {}

    @model_validator(mode="after")
    def _check_column_names(self) -> Self:
        if self.target.column in self.columns:
            raise ValueError(f"columns.{self.target.column}: is the target; describe it under `target`")
        if not any(entry.role == "feature" for entry in self.columns.values()):
            raise ValueError("columns: no column has the role feature")
        for name in self.unique or ():
            _require_column(name, self.columns, "unique")
        if self.split.column is not None:
            _require_column(self.split.column, self.columns, "split.column")
        if (self.source.kind == "synthetic") is (self.profile is None):
            raise ValueError("profile: is required by the synthetic source and by no other")
        return self


def _require_column(name: str, columns: dict[str, Any], key: str) -> None:
    if name not in columns:
        raise ValueError(f"{key}: no column is named {name!r}; known: {', '.join(columns)}")

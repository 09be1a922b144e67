"""Group `data`: where rows come from, which column is the answer, and what each column means."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "BundledSource",
    "ColumnConfig",
    "CsvDialect",
    "CsvSource",
    "DataConfig",
    "MixtureComponent",
    "ParquetSource",
    "SourceConfig",
    "SplitConfig",
    "SqlSource",
    "SyntheticProfile",
    "SyntheticSource",
    "TargetConfig",
]

Dtype = Literal["Int64", "Float64", "boolean", "string", "category", "datetime64[us]"]


class SyntheticSource(Section):
    """Rows drawn from the figures in `data.profile`; equal on any machine for a seed."""

    kind: Literal["synthetic"]
    rows: Positive = setting("How many rows to draw", unit="rows")
    seed: int = setting("Seed of the draw; apart from the global seed, so that a sweep of seeds keeps its rows", ge=0)


# Files lie in the one folder that stage `ingest` depends on, so that a changed file re-runs the graph.
_EXTERNAL_PATH = r"^data/external/([^/.][^/]*/)*[^/.][^/]*$"


class CsvDialect(Section):
    """How CSV text is written: a header line, quotes where needed, UTF-8, and what is set here."""

    delimiter: str = setting("One ASCII sign between fields", default=",", pattern=r"^[,;|\t :~^!#$%&*/]$")
    null_values: tuple[str, ...] = setting("Texts that mark a missing value, in a column of any kind", default=("",))


class CsvSource(CsvDialect):
    """A CSV file below data/external/, read strictly, and its dialect."""

    kind: Literal["csv"]
    path: str = setting("File below data/external/", pattern=_EXTERNAL_PATH)


class ParquetSource(Section):
    """A Parquet file below data/external/."""

    kind: Literal["parquet"]
    path: str = setting("File below data/external/", pattern=_EXTERNAL_PATH)


class SqlSource(Section):
    """The rows that an SQL query returns; the address is in an environment variable."""

    kind: Literal["sql"]
    url_env: str = setting("Environment variable that holds the SQLAlchemy address", min_length=1)
    query: str = setting("One SELECT whose ORDER BY makes its order certain", min_length=1)


class BundledSource(Section):
    """A real set that comes with scikit-learn."""

    kind: Literal["bundled"]
    name: Literal["breast_cancer", "wine", "iris"] = setting("Which of scikit-learn's bundled sets")


SourceConfig = Annotated[
    SyntheticSource | CsvSource | ParquetSource | SqlSource | BundledSource,
    Field(discriminator="kind"),
]


class MixtureComponent(Section):
    """One hidden kind of row: columns are drawn independently inside it."""

    share: Share = setting("Probability that a row is of this kind")
    label: str = setting("Class of its rows")
    weights: dict[str, tuple[float, ...]] = setting(
        "By column: relative weight of each value, 0..max for numbers, in the order of `isin` for words"
    )
    missing_count: tuple[float, ...] = setting("Probability that a row has 0, 1, 2, ... missing cells")
    missing_rate: dict[str, float] = setting("By column: relative weight of being the missing one")


class SyntheticProfile(Section):
    """The figures of a synthetic data set."""

    components: dict[str, MixtureComponent]


class ColumnConfig(Section):
    """One column: the keys of Pandera's YAML form first, ours behind them."""

    dtype: Dtype = setting("Type of the values")
    nullable: bool = setting("Whether a value may be missing", default=False)
    unique: bool = setting("Whether no value may occur twice", default=False)
    title: str | None = setting("Name for people", default=None)
    description: str | None = setting("What the values mean", default=None)
    checks: dict[str, JsonValue] = setting("Registered Pandera checks by name, with their arguments", default={})
    role: Literal["feature", "id", "ignore", "time"] = setting("What the column is for", default="feature")
    unit: str | None = setting("Unit of the values", default=None)
    example: JsonValue = setting("A typical value", default=None)
    store: Literal["full", "bin", "hash", "drop"] = setting("How the prediction log keeps it", default="full")
    drift_limit: float | None = setting("Limit of the drift effect, where the group's is wrong", default=None, gt=0)
    protected: bool = setting("Whether slices of it are always reported", default=False)


class TargetConfig(Section):
    """The column to predict."""

    column: str = setting("Name of the column", min_length=1)
    classes: tuple[str, ...] = setting("Classes in a fixed order, as words", min_length=2)
    positive: str | None = setting("The class that scores speak of; null where there are more than two", default=None)
    title: str | None = setting("Name for people", default=None)
    description: str | None = setting("What the classes mean", default=None)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: a class is named twice")
        for name in self.classes:
            if "\x1e" in name:
                raise ValueError(f"classes: {name!r} holds the sign U+001E, which parts the log's rows; leave it out")
        if len(self.classes) == 2 and self.positive not in self.classes:
            raise ValueError(f"positive: {self.positive!r} is not one of {', '.join(self.classes)}")
        if len(self.classes) > 2 and self.positive is not None:
            raise ValueError("positive: must be null where there are more than two classes")
        return self


class SplitConfig(Section):
    """How rows are divided into train and test."""

    kind: str = setting("Member of the table of splitters: stratified, random, by_time")
    test_share: float = setting("Share of rows that go to the test part", gt=0, lt=1)
    column: str | None = setting("Column whose order decides, for by_time", default=None)


class DataConfig(Section):
    """One problem: its rows, its answer, its columns and its split."""

    name: str = setting("Name of the problem", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    source: SourceConfig
    target: TargetConfig
    columns: dict[str, ColumnConfig] = setting("One entry for each column besides the target", min_length=1)
    unique: tuple[str, ...] | None = setting("Columns that together name a row once", default=None)
    split: SplitConfig
    profile: SyntheticProfile | None = setting("Figures of the synthetic source", default=None)

    @property
    def csv_dialect(self) -> CsvDialect:
        """The dialect of CSV files of this problem: that of its CSV source, else the default one."""
        return self.source if isinstance(self.source, CsvSource) else CsvDialect()

    @model_validator(mode="after")
    def _check_column_names(self) -> Self:
        if self.target.column in self.columns:
            raise ValueError(f"columns.{self.target.column}: is the target; describe it under target")
        if not any(entry.role == "feature" for entry in self.columns.values()):
            raise ValueError("columns: none has the role feature")
        for name in self.unique or ():
            _require_column(name, self.columns, "unique")
        if self.split.column is not None:
            _require_column(self.split.column, self.columns, "split.column")
        if (self.source.kind == "synthetic") is (self.profile is None):
            raise ValueError("profile: belongs to the synthetic source, and only to it")
        return self


def _require_column(name: str, columns: dict[str, Any], key: str) -> None:
    if name not in columns:
        raise ValueError(f"{key}: no column is named {name!r}; known: {', '.join(columns)}")

"""Group `data`: the source, the target, the columns and the split of one problem."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import JsonValue, model_validator

from pipeline.config.groups.section import Section, Share, setting
from pipeline.config.groups.source_config import CsvDialect, CsvSource, FileSource, LabeledSource, SourceConfig

__all__ = [
    "LABELED_WEIGHT",
    "ColumnConfig",
    "DataConfig",
    "MixtureComponent",
    "SplitConfig",
    "SyntheticProfile",
    "TargetConfig",
]

# The weight of labeled rows where no column has the role weight.
LABELED_WEIGHT = "snapshot_weight"

Dtype = Literal["Int64", "Float64", "boolean", "string", "category", "datetime64[us]"]


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
    role: Literal["feature", "id", "ignore", "time", "weight"] = setting(
        "Role of the column; `weight` is how much a row counts in training", default="feature"
    )
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
    protected: bool = setting(
        "Whether its groups are compared (fairness) and its slices always reported", default=False
    )

    @model_validator(mode="after")
    def _check_weight(self) -> Self:
        if self.role == "weight" and (self.dtype not in ("Int64", "Float64") or self.nullable):
            raise ValueError(
                f"role: found weight with dtype {self.dtype} and nullable {str(self.nullable).lower()}; a weight is a"
                " number in each row: write dtype: Float64, and leave nullable out"
            )
        return self

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

    kind: str = setting("Splitter: by_hash, stratified, random, by_time, or one of an extension")
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
    def declared_source(self) -> SourceConfig | None:
        """The source that says how files of this problem are read: of labeled rows that of their history."""
        return self.source.history if isinstance(self.source, LabeledSource) else self.source

    @property
    def all_columns(self) -> dict[str, ColumnConfig]:
        """The declared columns, and the weight that labeled rows bring unless one of the columns is a weight."""
        has_weight = any(entry.role == "weight" for entry in self.columns.values())
        if has_weight or not isinstance(self.source, LabeledSource):
            return self.columns
        return {**self.columns, LABELED_WEIGHT: ColumnConfig(dtype="Float64", role="weight")}

    @property
    def csv_dialect(self) -> CsvDialect:
        """Dialect of CSV files of this problem: that of its CSV source, else the default."""
        return self.declared_source if isinstance(self.declared_source, CsvSource) else CsvDialect()

    @property
    def format_keys(self) -> dict[str, Any]:
        """Kind of a source of files and, of other formats than CSV, its keys that say where the rows are."""
        return self.declared_source.format_keys if isinstance(self.declared_source, FileSource) else {}

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
        is_synthetic = self.declared_source is not None and self.declared_source.kind == "synthetic"
        if is_synthetic is (self.profile is None):
            raise ValueError("profile: is required by the synthetic source and by no other")
        weights = [name for name, entry in self.columns.items() if entry.role == "weight"]
        if len(weights) > 1:
            raise ValueError(f"columns: {', '.join(weights)} have the role weight; expected one such column at most")
        return self


def _require_column(name: str, columns: dict[str, Any], key: str) -> None:
    if name not in columns:
        raise ValueError(f"{key}: no column is named {name!r}; known: {', '.join(columns)}")

"""The declared columns and target, in the form that the reader, checks, encoder and API share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import inf
from sys import float_info
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import ConfigError, did_you_mean
from pipeline.schema.constraint_base import format_value, narrowest_bounds
from pipeline.schema.constraints import build_constraints
from pipeline.schema.text_format import TextFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.data_config import ColumnConfig, DataConfig
    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.schema.column_kinds import ColumnKind
    from pipeline.schema.constraint_base import Constraint

__all__ = ["Column", "Schema", "Target"]

# What csv.DictReader and pandas call the first column of a file whose header leaves it unnamed.
_NAMES_OF_UNNAMED = ("", "Unnamed: 0")
_MAX_HINT_LENGTH = 60
# Fields of `Column` that are lists in a package.
_TUPLE_FIELDS = ("categories", "true_values", "false_values", "null_values", "strip")
_MAX_LISTED_NAMES = 20
_PYTHON_TYPES: dict[ColumnKind, type | tuple[type, ...]] = {
    "integer": int,
    "float": (int, float),
    "boolean": bool,
    "category": str,
    "text": str,
    "datetime": str,
}
_KIND_BY_DTYPE: dict[str, ColumnKind] = {
    "Int64": "integer",
    "Float64": "float",
    "boolean": "boolean",
    "category": "category",
    "string": "text",
    "datetime64[us]": "datetime",
}
_EXPECTED: dict[ColumnKind, str] = {
    "integer": "a whole number",
    "float": "a number",
    "boolean": "true or false, without quotes",
    "category": "a string in quotes",
    "text": "a string in quotes",
    "datetime": 'a date or a moment in quotes such as "2026-01-31" or "2026-01-31T18:30:00", without a zone',
}


@dataclass(frozen=True)
class Column:
    """One declared column.

    `categories` are the members of its `isin` check in their declared order, empty unless it is a category
    column. With `unseen` other they are the known words, and the check refuses no other word. `minimum` and
    `maximum` are the narrowest bounds of its range checks, None where it has none.
    """

    name: str
    kind: ColumnKind
    dtype: str
    nullable: bool = False
    unique: bool = False
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    checks: Mapping[str, Any] = field(default_factory=dict)
    role: Literal["feature", "id", "ignore", "time", "weight"] = "feature"
    title: str | None = None
    description: str | None = None
    unseen: Literal["other", "refuse"] = "refuse"
    encode: Mapping[str, Any] = field(default_factory=lambda: {"method": "auto"})
    unit: str | None = None
    example: Any = None
    store: Literal["full", "bin", "hash", "drop"] = "full"
    drift_limit: float | None = None
    leakage: Literal["refuse", "accept"] = "refuse"
    protected: bool = False
    format: str | None = None
    zone: str | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None

    def derive(self, name: str, kind: ColumnKind, dtype: str, *, store: Literal["full", "bin"]) -> Column:
        """Return the declaration of a nullable column that is computed from this one and others."""
        return Column(name, kind, dtype, nullable=True, store=store)

    @cached_property
    def text_format(self) -> TextFormat:
        """How its texts become values, wherever rows are read."""
        return TextFormat(
            self.kind,
            self.format,
            self.zone,
            self.true_values,
            self.false_values,
            self.null_values,
            self.strip,
            self.decimal,
            self.thousands,
        )

    def to_request_value(self, value: Any) -> Any:
        """Return a read value in a form that every reader of rows reads as the same value: a moment as ISO text."""
        text = value.isoformat() if hasattr(value, "isoformat") else value
        return f"{text}Z" if self.zone is not None and isinstance(text, str) else text

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers on a scale (booleans are categories)."""
        return self.kind in ("integer", "float")

    @property
    def accepts_unseen(self) -> bool:
        """Whether a word that is none of `categories` is accepted; it is encoded as `other`."""
        return self.unseen == "other"

    @property
    def encode_method(self) -> str:
        """The declared method of its encoding, `auto` unless one is declared."""
        return str(self.encode.get("method", "auto"))

    @property
    def encode_keys(self) -> dict[str, Any]:
        """The settings of the encoding that the column itself declares."""
        return {key: value for key, value in self.encode.items() if key != "method"}

    @property
    def is_private(self) -> bool:
        """Whether no single person's value may leave the data: the prediction log does not store it in full."""
        return self.store != "full"

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The declared checks that refuse values, in their declared order; they are built anew each time."""
        checks = self.checks
        if self.accepts_unseen:
            checks = {name: arguments for name, arguments in checks.items() if name != "isin"}
        return build_constraints(self.name, self.kind, checks)

    @property
    def value_constraints(self) -> tuple[Constraint, ...]:
        """The declared checks of single values."""
        return tuple(constraint for constraint in self.constraints if constraint.is_per_value)

    def accepts(self, value: Any) -> bool:
        """Return whether a present value of the column's kind passes the declared checks of single values."""
        shown = value.isoformat() if self.kind == "datetime" and hasattr(value, "isoformat") else value
        return all(constraint.accepts(shown) for constraint in self.value_constraints)

    @property
    def stand_ins(self) -> tuple[Any, ...]:
        """Accepted values that come from the declaration alone: where rows are shown without a person's value."""
        if self.kind == "boolean":
            return (False, True)
        listed = self.checks.get("isin", ())
        listed = listed.get("allowed_values", ()) if isinstance(listed, dict) else listed
        candidates: list[Any] = list(self.categories or (listed if isinstance(listed, list | tuple) else ()))
        if self.example is not None and not self.categories:
            candidates.insert(0, self.example)
        if self.kind == "text":
            candidates += ["text", self.checks.get("str_startswith")]
        return tuple(
            value for value in candidates if isinstance(value, _PYTHON_TYPES[self.kind]) and self.accepts(value)
        )

    @property
    def expected(self) -> str:
        """The values that it accepts, as the text that follows "expected"."""
        text_format = self.text_format
        phrases = [
            text_format.expected if text_format.has_own_form else _EXPECTED[self.kind],
            *(constraint.expected for constraint in self.value_constraints),
        ]
        unit = f" (unit: {self.unit})" if self.unit else ""
        shown = self.example if self.example is not None or not self.accepts_unseen else self.categories[0]
        example = f", such as {format_value(shown)}" if shown is not None else ""
        missing = ", or null" if self.nullable else ""
        return f"{' '.join(phrases)}{unit}{example}{missing}"

    @property
    def label(self) -> str:
        """Name for people: the title, or the column's own name."""
        return self.title if self.title is not None else self.name


@dataclass(frozen=True, slots=True)
class Target:
    """The column to predict; `positive` is None where there are more than two classes.

    `unlabeled` says what training does with rows whose label is missing or is none of the classes.
    """

    column: str
    classes: tuple[str, ...]
    positive: str | None = None
    title: str | None = None
    description: str | None = None
    unlabeled: Literal["refuse", "set_aside"] = "refuse"

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2


@dataclass(frozen=True)
class Schema:
    """All declared columns of a problem, in their declared order, and its target.

    `dialect` has the settings of its CSV files that differ from the default, `format_keys` the kind of its files and
    the keys that say where their rows are.
    """

    name: str
    columns: tuple[Column, ...]
    target: Target
    unique: tuple[str, ...] | None = None
    dialect: Mapping[str, Any] = field(default_factory=dict)
    format_keys: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: DataConfig) -> Schema:
        """Return the schema that group `data` declares.

        Raises
        ------
        ConfigError
            When a category column has no list of categories, a bound is beyond the type of its column, the form of
            its texts contradicts itself, or a private text feature has checks that neither its `example` nor a
            listed text passes.
        """
        entries, target = config.all_columns, config.target
        columns = tuple(_column_from_entry(name, entry, config.csv_dialect) for name, entry in entries.items())
        return cls(
            name=config.name,
            columns=columns,
            target=Target(**target.model_dump()),
            unique=config.unique,
            dialect=config.csv_dialect.as_settings(),
            format_keys=config.format_keys,
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Schema:
        """Return the schema that `as_dict` wrote."""
        columns = tuple(
            Column(**{**entry, **{name: tuple(entry[name]) for name in _TUPLE_FIELDS}}) for entry in value["columns"]
        )
        target = Target(**{**value["target"], "classes": tuple(value["target"]["classes"])})
        unique = value["unique"]
        return cls(
            value["name"],
            columns,
            target,
            None if unique is None else tuple(unique),
            dialect=value["dialect"],
            format_keys=value["format_keys"],
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values (dictionaries, lists, strings, numbers) from which `from_dict` builds it again."""
        plain = asdict(self)
        plain["columns"] = [
            {**entry, **{name: list(entry[name]) for name in _TUPLE_FIELDS}} for entry in plain["columns"]
        ]
        plain["target"]["classes"] = list(self.target.classes)
        plain["unique"] = None if self.unique is None else list(self.unique)
        return plain

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns with the role feature, in their declared order."""
        return tuple(column for column in self.columns if column.role == "feature")

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of `features`."""
        return tuple(column.name for column in self.features)

    @property
    def weight_name(self) -> str | None:
        """Name of the column with the role weight; None without one."""
        return next((column.name for column in self.columns if column.role == "weight"), None)

    @cached_property
    def private_notes(self) -> dict[str, str]:
        """By private column: the text that messages and reports show in place of a value."""
        return {column.name: f"not shown (store: {column.store})" for column in self.columns if column.is_private}

    @cached_property
    def accepted_names(self) -> frozenset[str]:
        """Names that a row to predict may have: all declared columns and the target; only features are read."""
        index_names = (self.dialect["index_column"], *_NAMES_OF_UNNAMED) if "index_column" in self.dialect else ()
        return frozenset((*(column.name for column in self.columns), self.target.column, *index_names))

    def unknown_name_message(self, name: str, *, has_hint: bool = True) -> str:
        """Return what is wrong with a name that is none of `accepted_names`."""
        names = sorted(self.accepted_names)
        hint = did_you_mean(name[:_MAX_HINT_LENGTH], names) if has_hint else ""
        hint = hint or "; leave it out, or declare it under data.columns with role: ignore"
        listed = ", ".join(self.feature_names[:_MAX_LISTED_NAMES])
        n_more = len(self.feature_names) - _MAX_LISTED_NAMES
        more = f" and {n_more} more" if n_more > 0 else ""
        return f"is not a feature of this model; features: {listed}{more}{hint}"

    @property
    def drift_limits(self) -> dict[str, float]:
        """Limit of the drift effect by column, for the columns that declare one."""
        return {column.name: column.drift_limit for column in self.columns if column.drift_limit is not None}

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when there is none."""
        return self._column_by_name[name]

    @cached_property
    def _column_by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


def _column_from_entry(name: str, entry: ColumnConfig, dialect: CsvDialect) -> Column:
    """Return a declared column; words for missing values and the signs of numbers are those of the source, too."""
    null_values = [word for word in dialect.null_values if word]
    kind = _KIND_BY_DTYPE[entry.dtype]
    categories = _declared_categories(name, entry) if kind == "category" else ()
    minimum, maximum = narrowest_bounds(build_constraints(name, kind, entry.checks))
    for bound in (minimum, maximum):
        if bound is not None and abs(bound) > _MAX_ABS_BOUND.get(kind, inf):
            raise ConfigError(
                f"data.columns.{name}.checks: the bound {_format_bound(bound)} exceeds the range of {entry.dtype}"
                f" (from -{_MAX_ABS_BOUND[kind]} to {_MAX_ABS_BOUND[kind]}); write a smaller one, or leave it out"
            )
    fields = entry.model_dump(exclude={"checks", "encode", "null_values"})
    column = Column(
        name=name,
        kind=kind,
        categories=categories,
        minimum=minimum,
        maximum=maximum,
        checks=dict(entry.checks),
        encode={"method": entry.encode} if isinstance(entry.encode, str) else {"method": "auto", **entry.encode},
        null_values=tuple(dict.fromkeys((*null_values, *entry.null_values))),
        decimal=dialect.decimal,
        thousands=dialect.thousands,
        **fields,
    )
    _check_text_format(column)
    _check_stand_ins(column)
    return column


def _check_text_format(column: Column) -> None:
    try:
        column.text_format.check()
    except ValueError as error:
        raise ConfigError(f"data.columns.{column.name}.{error}") from error


def _check_stand_ins(column: Column) -> None:
    """Raise if the package of a model could hold no text that the checks of a private column accept."""
    is_required_text = column.kind == "text" and column.role == "feature" and not column.nullable
    if column.is_private and is_required_text and not column.stand_ins:
        raise ConfigError(
            f"data.columns.{column.name}.example: found {column.example!r}; expected a made-up text that passes the"
            f" checks: with store: {column.store} a package holds it instead of a person's text"
        )


def _declared_categories(name: str, entry: ColumnConfig) -> tuple[str, ...]:
    arguments = entry.checks.get("isin")
    categories = arguments.get("allowed_values") if isinstance(arguments, dict) else arguments
    if not isinstance(categories, list) or not categories or not all(isinstance(name, str) for name in categories):
        raise ConfigError(
            f"data.columns.{name}.checks.isin: found {arguments!r}; list the categories of a category column, such as"
            " isin: [small, large]. Quote yes, no, on and off."
        )
    return tuple(str(name) for name in categories)


def _format_bound(bound: float) -> str:
    """Return a number as text, or its number of bits: Python refuses to print an integer of thousands of digits."""
    if isinstance(bound, int) and bound.bit_length() > 128:
        return f"of {bound.bit_length()} bits"
    return str(bound)


# Integers of Python are unbounded, those of a data set are not.
_MAX_ABS_BOUND = {"integer": 2**63 - 1, "float": float_info.max}

"""Encode declared columns as the float32 matrix of training, serving and file scoring."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.expressions import DerivedColumns
from pipeline.schema.value_groups import ValueGroups, group_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import EstimatorInputsConfig
    from pipeline.schema import Column, Schema

__all__ = ["Encoder", "make_encoder"]

_FORMAT = 1
_DAY_US = 86_400_000_000
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_GROUPS = 255  # histogram gradient boosting has as many bins
_ENCODED_KINDS = frozenset({"integer", "float", "boolean", "category", "datetime"})

_NO_DERIVED_COLUMNS = DerivedColumns()
_NO_GROUPS = ValueGroups((), ())
_ONE_GROUP = ValueGroups((), (0.0,))  # too few rows have a value: only whether there is one is encoded


@dataclass(frozen=True, slots=True)
class _ColumnEncoding:
    """How one column is encoded, in numbers that float32 represents exactly.

    `fill`, `center` and `scale` are None where nothing is filled or scaled. `origin_us` is the time
    (microseconds since 1970, UTC) from which a datetime column counts days. `groups` has levels for a private
    column of numbers or dates: each number is replaced by that of its group.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    one_hot: bool = False
    missing_code: float | None = None
    fill: float | None = None
    center: float | None = None
    scale: float | None = None
    origin_us: int | None = None
    indicator: bool = False
    groups: ValueGroups = _NO_GROUPS

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the matrix columns that encode this column."""
        values = tuple(f"{self.name}={category}" for category in self.categories) if self.one_hot else (self.name,)
        return (*values, f"{self.name}=missing") if self.indicator else values

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        own = {"categories": tuple(value["categories"]), "groups": ValueGroups.from_dict(value["groups"])}
        return cls(**{**value, **own})


class Encoder:
    """A scikit-learn transformer over declared columns, stored as plain values.

    It follows scikit-learn's protocol (`fit`, `transform`, `get_params`, `clone`) without importing
    it, so that a serving process starts without scikit-learn and pandas.

    - Numbers are rounded to float32 before training and clipped to its range. Integers above 16,777,216
      therefore lose their last digits.
    - Datetimes become days since the earliest training value, as numbers.
    - Numbers and datetimes of a private column (`store` is not `full`) become the level of their group of at least 5
      train rows, at most 255 groups, so no estimator learns a single person's value.
    - A category becomes its position in the declared list (`codes`), or one column for each category
      (`one_hot`). An undeclared category gets the position behind the last (`codes`), or zeros.
    - Booleans are the categories false and true, in one column.
    - A missing value stays NaN (`native`), unless training has no other value in the column: some estimators refuse
      such columns. Otherwise a number is imputed, and a category gets -1 (`codes`) or zeros (`one_hot`).
      `missing_indicators` adds a column `<name>=missing`.
    - Text, ids and ignored columns are left out.
    - Derived columns follow, encoded as numbers or booleans. One that uses a private column is private.

    Parameters
    ----------
    columns : sequence of Column
        The feature columns, in their declared order.
    derived : DerivedColumns, optional
        Further columns, computed from `columns`.
    missing, imputation, missing_indicators, categories, scale
        As in the group `features`, with `auto` resolved, except for `missing_indicators`: its `auto` adds one to
        every column whose missing values are replaced and that had some in training.

    Examples
    --------
    >>> from pipeline.schema import Column
    >>> encoder = Encoder([Column("size", "category", "category", categories=("small", "large"))])
    >>> encoder.fit({"size": ["small", "large"]}).transform({"size": ["large", None, "huge"]}).tolist()
    [[1.0], [nan], [2.0]]
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        missing: Literal["native", "impute"] = "native",
        imputation: Literal["median", "mean"] = "median",
        missing_indicators: Literal["auto", "always", "never"] = "auto",
        categories: Literal["codes", "one_hot"] = "codes",
        scale: Literal["none", "standard"] = "none",
        derived: DerivedColumns = _NO_DERIVED_COLUMNS,
    ) -> None:
        self.columns = columns
        self.derived = derived
        self.missing = missing
        self.imputation = imputation
        self.missing_indicators = missing_indicators
        self.categories = categories
        self.scale = scale

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's API
        """Return the settings, as scikit-learn's `clone` expects."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **params: Any) -> Self:
        """Change settings; the encoder must be fitted again."""
        for name, value in params.items():
            if name not in _PARAMETERS:
                raise ConfigError(f"Encoder: {name!r} is not a setting; expected one of {', '.join(_PARAMETERS)}")
            setattr(self, name, value)
        return self

    @property
    def encodings_(self) -> tuple[_ColumnEncoding, ...]:
        """The fitted encoding of each column."""
        try:
            return self._encodings
        except AttributeError:
            raise DataError("the encoder is not fitted yet; call fit first") from None

    @property
    def feature_names_in_(self) -> tuple[str, ...]:
        """Names of the columns that `transform` reads."""
        names = [plan.name for plan in self.encodings_ if plan.name not in self.derived.names]
        return tuple(dict.fromkeys([*names, *self.derived.source_names]))

    @property
    def feature_names_out_(self) -> tuple[str, ...]:
        """Names of the matrix columns, in their order."""
        return tuple(name for plan in self.encodings_ for name in plan.output_names)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - protocol
        """Return `feature_names_out_` in scikit-learn's form."""
        return np.array(self.feature_names_out_, dtype=object)

    def fit(self, frame: pd.DataFrame | Mapping[str, Sequence[Any]], y: object = None) -> Self:  # noqa: ARG002 - API
        """Fit imputation values, scales, origins, and which columns have missing values.

        Raises
        ------
        DataError, ConfigError
            When a declared column is missing in `frame` or cannot be converted; when no column is left to encode.
        """
        used = [column for column in self.columns if column.kind in _ENCODED_KINDS and column.role == "feature"]
        if not used and not self.derived.columns:
            raise ConfigError("data.columns: no feature is a number, a category, a boolean or a datetime")
        derived = self.derived.compute(frame)
        fitted = [(column, _column_values(frame, column.name)) for column in used]
        fitted += [(column, derived[column.name]) for column in self.derived.as_declared(self.columns)]
        self._encodings = tuple(self._fit_column(column, values) for column, values in fitted)
        return self

    def transform(self, frame: pd.DataFrame | Mapping[str, Sequence[Any]]) -> NDArray[np.float32]:
        """Return the matrix of `frame`, shape (n_rows, len(names_out_)); further columns are ignored.

        A column may be an Arrow array. A row gets the same bits alone as among others. Raises DataError as `fit` does.
        """
        plans = self.encodings_
        derived = self.derived.compute(frame)
        columns = [_column_values(derived if plan.name in derived else frame, plan.name) for plan in plans]
        n_rows = len(columns[0])
        matrix = np.empty((n_rows, len(self.feature_names_out_)), dtype=np.float32)
        at = 0
        for plan, values in zip(plans, columns, strict=True):
            if len(values) != n_rows:
                raise DataError(f"{plan.name}: has {len(values)} values where {plans[0].name} has {n_rows}")
            width = len(plan.output_names)
            _write_encoded(plan, _to_numbers(plan, values), matrix[:, at : at + width])
            at += width
        return matrix

    def fit_transform(self, frame: pd.DataFrame | Mapping[str, Sequence[Any]], y: object = None) -> NDArray[np.float32]:
        """Fit to `frame` and return its matrix."""
        return self.fit(frame, y).transform(frame)

    def _fit_column(self, column: Column, values: Any) -> _ColumnEncoding:
        if column.kind == "category":
            one_hot = self.categories == "one_hot"
            plan = _ColumnEncoding(column.name, column.kind, categories=column.categories, one_hot=one_hot)
        else:
            origin = _origin_us(column, values) if column.kind == "datetime" else None
            plan = _ColumnEncoding(column.name, column.kind, origin_us=origin)
            if column.is_private and column.kind != "boolean":
                numbers = _round_to_float32(_to_numbers(plan, values))
                groups = group_values(numbers, max_groups=_MAX_GROUPS)
                plan = replace(plan, groups=groups if groups.levels else _ONE_GROUP)
        numbers = _to_numbers(plan, values)
        has_missing = bool(np.isnan(numbers).any())
        settings = {name: getattr(plan, name) for name in _ColumnEncoding.__slots__}
        if column.kind in ("category", "boolean"):
            is_coded = not plan.one_hot and self.categories == "codes"
            settings |= self._category_settings(is_coded=is_coded, is_empty=bool(np.isnan(numbers).all()))
        else:
            settings |= self._number_settings(_round_to_float32(numbers))
        replaced = self.missing == "impute" or plan.one_hot
        needs_indicator = settings["missing_code"] != -1.0 or self.missing_indicators == "always"
        is_indicated = self.missing_indicators == "always" or (
            self.missing_indicators == "auto" and replaced and has_missing and needs_indicator
        )
        settings["indicator"] = is_indicated and (has_missing or column.nullable)
        return _ColumnEncoding(**settings)

    def _category_settings(self, *, is_coded: bool, is_empty: bool) -> dict[str, Any]:
        if self.missing == "native" and not is_empty:
            return {"missing_code": None}
        return {"missing_code": -1.0 if is_coded else 0.0}

    def _number_settings(self, numbers: NDArray[np.float64]) -> dict[str, Any]:
        present = numbers[~np.isnan(numbers)]
        settings: dict[str, Any] = {}
        middle = np.mean if self.imputation == "mean" else np.median
        if self.missing == "impute" or not len(present):
            settings["fill"] = _nearest_float32(float(middle(present)) if len(present) else 0.0)
            numbers = np.where(np.isnan(numbers), settings["fill"], numbers)
            present = numbers
        if self.scale == "standard":
            settings["center"] = _nearest_float32(float(np.mean(present)) if len(present) else 0.0)
            deviation = _nearest_float32(float(np.std(present)) if len(present) else 0.0)
            settings["scale"] = deviation if deviation > 0 else 1.0
        return settings

    def only(self, names: Collection[str]) -> Encoder:
        """Return a fitted encoder of some of the columns, whose derived columns are those among `names`."""
        encoder = Encoder((), **{name: getattr(self, name) for name in _SETTINGS}, derived=self.derived.only(names))
        encoder._encodings = tuple(plan for plan in self.encodings_ if plan.name in names)
        return encoder

    def as_dict(self) -> dict[str, Any]:
        """Return plain values (strings, numbers, lists) from which `from_dict` builds an equal encoder."""
        plans = [
            {**asdict(plan), "categories": list(plan.categories), "groups": plan.groups.as_dict()}
            for plan in self.encodings_
        ]
        settings = {name: getattr(self, name) for name in _SETTINGS}
        return {"format": _FORMAT, **settings, "derived": self.derived.as_dict(), "columns": plans}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Encoder:
        """Return the encoder that `as_dict` wrote.

        Raises
        ------
        IntegrityError
            When `value` has another form than `as_dict` writes.
        """
        try:
            if value["format"] != _FORMAT:
                raise IntegrityError(f"encoder: format {value['format']!r} is not known; this version reads {_FORMAT}")
            plans = tuple(map(_ColumnEncoding.from_dict, value["columns"]))
            derived = DerivedColumns.from_dict(value["derived"])
            encoder = cls((), **{name: value[name] for name in _SETTINGS}, derived=derived)
        except (ConfigError, KeyError, TypeError) as error:
            raise IntegrityError(f"encoder: invalid content ({error}); restore the package") from error
        encoder._encodings = plans
        return encoder


_SETTINGS = ("missing", "imputation", "missing_indicators", "categories", "scale")
_PARAMETERS = (*_SETTINGS, "columns", "derived")


def make_encoder(schema: Schema, features: FeaturesConfig, inputs: EstimatorInputsConfig) -> Encoder:
    """Return an unfitted encoder of the features of `schema`; `auto` follows the declared `inputs` of the model."""
    return Encoder(
        schema.features,
        missing=inputs.missing if features.missing == "auto" else features.missing,
        imputation=features.imputation,
        missing_indicators=features.missing_indicators,
        categories=inputs.categories if features.categories == "auto" else features.categories,
        scale=inputs.scale if features.scale == "auto" else features.scale,
        derived=DerivedColumns.of_schema(features.derived, schema),
    )


def _column_values(frame: Any, name: str) -> Any:
    try:
        return frame[name]
    except KeyError:
        raise DataError(f"{name}: the rows have no such column; columns: {', '.join(map(str, frame))}") from None


def _to_numbers(plan: _ColumnEncoding, values: Any) -> NDArray[np.float64]:
    """Return one float64 for each value, NaN where it is missing; categories become their codes."""
    try:
        if plan.kind == "category":
            return _category_codes(plan.categories, values)
        numbers = _days_since_origin(values, plan.origin_us or 0) if plan.kind == "datetime" else _to_float64(values)
        return plan.groups.replace(numbers)
    except (TypeError, ValueError) as error:
        raise DataError(f"{plan.name}: cannot be read as {plan.kind} ({error})") from error


def _to_float64(values: Any) -> NDArray[np.float64]:
    if isinstance(values, np.ndarray):
        return values.astype(np.float64)
    if hasattr(values, "dictionary_encode"):
        return np.asarray(values.cast("float64", safe=False).to_numpy(zero_copy_only=False))
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _category_codes(categories: tuple[str, ...], values: Any) -> NDArray[np.float64]:
    code_of = {category: float(code) for code, category in enumerate(categories)}
    if hasattr(values, "dictionary_encode"):
        encoded = values.dictionary_encode()
        lookup = [code_of.get(category, float(len(categories))) for category in encoded.dictionary.to_pylist()]
        positions = encoded.indices.fill_null(len(lookup)).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*lookup, np.nan])[positions], dtype=np.float64)
    if hasattr(values, "factorize"):
        positions, distinct = values.factorize()
        lookup = [code_of.get(category, float(len(categories))) for category in distinct]
        return np.asarray(np.array([*lookup, np.nan])[positions], dtype=np.float64)
    unknown = float(len(categories))
    return np.array([np.nan if value is None else code_of.get(value, unknown) for value in values], dtype=np.float64)


def _to_datetimes(values: Any) -> NDArray[np.datetime64]:
    if hasattr(values, "dictionary_encode"):
        return np.asarray(values.cast("timestamp[us]").to_numpy(zero_copy_only=False))
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy(dtype="datetime64[us]"))
    return np.array(["NaT" if value is None else value for value in values], dtype="datetime64[us]")


def _days_since_origin(values: Any, origin_us: int) -> NDArray[np.float64]:
    moments = _to_datetimes(values)
    days: NDArray[np.float64] = (moments.astype(np.int64) - origin_us) / _DAY_US
    days[np.isnat(moments)] = np.nan
    return np.asarray(days)


def _origin_us(column: Column, values: Any) -> int:
    """Return the earliest value; of a private column the start of the earliest group's day."""
    try:
        moments = _to_datetimes(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{column.name}: cannot be read as datetime ({error})") from error
    present = moments[~np.isnat(moments)].astype(np.int64)
    if not column.is_private:
        return int(present.min()) if len(present) else 0
    levels = group_values(present.astype(np.float64), max_groups=_MAX_GROUPS).levels
    return int(levels[0]) // _DAY_US * _DAY_US if levels else 0


def _nearest_float32(value: float) -> float:
    """Return the nearest float32, whose decimal form JSON and YAML carry without loss."""
    return float(np.float32(np.clip(value, -_FLOAT32_MAX, _FLOAT32_MAX)))


def _round_to_float32(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `numbers` rounded to float32, still as float64 for exact sums."""
    return np.asarray(np.clip(numbers, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32).astype(np.float64))


def _write_encoded(plan: _ColumnEncoding, numbers: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Write the columns of `plan` into `out`, shape (n_rows, len(plan.names))."""
    is_missing = np.isnan(numbers)
    if plan.indicator:
        out[:, -1] = is_missing
    if plan.one_hot:
        for code in range(len(plan.categories)):
            out[:, code] = numbers == code
        if plan.missing_code is None:
            out[is_missing, : len(plan.categories)] = 0.0
        return
    replacement = plan.missing_code if plan.fill is None else plan.fill
    settled = np.clip(numbers, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32)
    if replacement is not None:
        settled[is_missing] = replacement
    if plan.center is not None and plan.scale is not None:
        out[:, 0] = np.clip((settled.astype(np.float64) - plan.center) / plan.scale, -_FLOAT32_MAX, _FLOAT32_MAX)
        return
    out[:, 0] = settled

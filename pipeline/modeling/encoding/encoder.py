"""Encode declared columns as the float32 matrix of training, serving and file scoring."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.expressions.derived_columns import DerivedColumns
from pipeline.modeling.encoding.column_encoding import ENCODINGS, FitContext, FormOptions
from pipeline.modeling.encoding.methods import choose_method
from pipeline.modeling.encoding.target_means import TrainTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import EstimatorInputsConfig
    from pipeline.modeling.encoding.column_encoding import ColumnEncoding
    from pipeline.schema import Column, Schema

    Rows = pd.DataFrame | Mapping[str, Sequence[Any]]
    Matrix = NDArray[np.float32]
    Write = Callable[[ColumnEncoding, Any, Matrix], NDArray[np.bool_]]

__all__ = ["Encoder", "make_encoder"]

_FORMAT = 1
_PARAMETERS = ("columns", "features", "form", "seed", "derived")
_NO_DERIVED_COLUMNS = DerivedColumns()
_BLOCK_ROWS = 8_192  # a block of columns fits into the cache of a core; measured against 2,048 to 16,384


class Encoder:
    """A scikit-learn transformer over declared columns, stored as plain values.

    It follows scikit-learn's protocol (`fit`, `transform`, `get_params`, `clone`) without importing
    it, so that a serving process starts without scikit-learn and pandas.

    - Numbers are rounded to float32 before training and clipped to its range. Integers above 16,777,216
      therefore lose their last digits.
    - Each column is encoded by the method that it declares; `auto` follows its kind and the form of the matrix.
    - Numbers and datetimes of a private column (`store` is not `full`) become the level of their group of at least 5
      train rows, at most 255 groups. Of its texts only words and n-grams of at least 5 train rows count. So no
      estimator learns a single person's value.
    - A missing number stays NaN (`native`), unless training has no other value in the column: some estimators refuse
      such columns. Otherwise it is imputed. `missing_indicators` adds a column `<name>=missing`; its `auto` adds one
      to every column whose missing values are replaced and that had some in training.
    - Ids, times and ignored columns are left out.
    - Derived columns follow, encoded as numbers or booleans. One that uses a private column is private.

    Parameters
    ----------
    columns : sequence of Column
        The feature columns, in their declared order.
    features : FeaturesConfig
        Settings of the methods; None for an encoder that was stored, which is not fitted again.
    form : FormOptions
        The form of the matrix.
    seed : int
        Seed of the folds of the target encoding.
    derived : DerivedColumns, optional
        Further columns, computed from `columns`.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        features: FeaturesConfig | None,
        form: FormOptions,
        seed: int = 0,
        derived: DerivedColumns = _NO_DERIVED_COLUMNS,
    ) -> None:
        self.columns = columns
        self.features = features
        self.form = form
        self.seed = seed
        self.derived = derived

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

    def __sklearn_tags__(self) -> Any:
        """Return the tags of a transformer of frames with words and missing values."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=False, categorical=True, string=True, allow_nan=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether `fit` was called, or the encoder was stored."""
        return hasattr(self, "_encodings")

    @property
    def encodings_(self) -> tuple[ColumnEncoding, ...]:
        """The fitted encoding of each column."""
        try:
            return self._encodings
        except AttributeError:
            raise DataError("the encoder is not fitted yet; call fit first") from None

    @property
    def feature_names_in_(self) -> tuple[str, ...]:
        """Names of the columns that `transform` reads."""
        names = [encoding.name for encoding in self.encodings_ if encoding.name not in self.derived.names]
        return tuple(dict.fromkeys([*names, *self.derived.source_names]))

    @property
    def feature_names_out_(self) -> tuple[str, ...]:
        """Names of the matrix columns, in their order."""
        return tuple(name for encoding in self.encodings_ for name in encoding.output_names)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - protocol
        """Return `feature_names_out_` in scikit-learn's form."""
        return np.array(self.feature_names_out_, dtype=object)

    def fit(self, frame: Rows, y: NDArray[np.int64] | None = None) -> Self:
        """Fit the encoding of each column; `y` has the classes or their codes, None where they are unknown.

        Raises
        ------
        DataError
            When a declared column is missing in `frame` or cannot be converted to its kind.
        ConfigError
            When no column is left to encode, or a column declares a method or a key that its kind does not have.
        """
        used = [column for column in self.columns if column.role == "feature"]
        if not used and not self.derived.columns:
            raise ConfigError("data.columns: no column has the role feature")
        target = None if y is None else TrainTarget(_class_codes(y), self.seed)
        derived = self.derived.compute(frame)
        fitted = [(column, _column_values(frame, column.name)) for column in used]
        fitted += [(column, derived[column.name]) for column in self.derived.as_declared(self.columns)]
        self._encodings = tuple(self._fit_column(column, values, target) for column, values in fitted)
        return self

    def _fit_column(self, column: Column, values: Any, target: TrainTarget | None) -> ColumnEncoding:
        if self.features is None:
            raise ConfigError("this encoder was loaded from a package; it transforms, and is not fitted again")
        with _naming(column.name, column.kind):
            method = choose_method(column, values, self.features, self.form)
            context = FitContext(self.form, self.features, column.encode_keys, target)
            return ENCODINGS[method].fit(column, values, context)

    def transform(self, frame: Rows) -> NDArray[np.float32]:
        """Return the matrix of `frame`, shape (n_rows, len(feature_names_out_)); further columns are ignored.

        A column may be an Arrow array. A row gets the same bits alone as among others.

        Raises
        ------
        DataError
            When a column is missing in `frame` or cannot be converted to its kind.
        """
        matrix = self._write_matrix(frame, lambda encoding, values, out: encoding.encode(values, out))
        encoded: Matrix = self._in_output_form(matrix, frame)
        return encoded

    def set_output(self, *, transform: Literal["default", "pandas"] | None = None) -> Self:
        """Choose what `transform` returns: an array, or a pandas frame with named columns; None changes nothing."""
        if transform not in (None, "default", "pandas"):
            raise ConfigError(f"Encoder.set_output: found {transform!r}; expected default or pandas")
        if transform is not None:
            # The name under which scikit-learn's clone copies it.
            self._sklearn_output_config = {"transform": transform}
        return self

    def _in_output_form(self, matrix: Matrix, frame: Rows) -> Any:
        if not hasattr(self, "_sklearn_output_config"):
            return matrix
        if self._sklearn_output_config["transform"] != "pandas":
            return matrix
        import pandas as pd

        return pd.DataFrame(matrix, columns=list(self.feature_names_out_), index=getattr(frame, "index", None))

    def fit_transform(self, frame: Rows, y: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Fit to `frame` and return the matrix to train with.

        It differs from that of `transform` where an encoding uses the classes: there each row is encoded with the
        help of the other folds only (as scikit-learn's `TargetEncoder` does), so no row shows its own class.
        """
        self.fit(frame, y)
        if y is None:
            return self.transform(frame)
        target = TrainTarget(_class_codes(y), self.seed)
        matrix = self._write_matrix(
            frame, lambda encoding, values, out: encoding.encode_out_of_fold(values, out, target=target)
        )
        encoded: Matrix = self._in_output_form(matrix, frame)
        return encoded

    def _write_matrix(self, frame: Rows, write: Write) -> Matrix:
        encodings = self.encodings_
        derived = self.derived.compute(frame)
        columns = [_column_values(derived if each.name in derived else frame, each.name) for each in encodings]
        n_rows = len(columns[0])
        widths = [len(encoding.output_names) for encoding in encodings]
        matrix = np.empty((n_rows, sum(widths)), dtype=np.float32)
        divided: list[_Cells] = []
        at = 0
        for encoding, values, width in zip(encodings, columns, widths, strict=True):
            if len(values) != n_rows:
                raise DataError(f"{encoding.name}: has {len(values)} values where {encodings[0].name} has {n_rows}")
            if n_rows > _BLOCK_ROWS and not encoding.shares_work:
                divided.append(_Cells(encoding, values, at, at + width))
            else:
                _write_cells(encoding, values, matrix[:, at : at + width], write)
            at += width
        _write_blocks(divided, matrix, write)
        return matrix

    def only(self, names: Collection[str]) -> Encoder:
        """Return a fitted encoder of some of the columns, whose derived columns are those among `names`."""
        encodings = tuple(encoding for encoding in self.encodings_ if encoding.name in names)
        return self._from_encodings(encodings, self.derived.only(names))

    @classmethod
    def _from_encodings(cls, encodings: tuple[ColumnEncoding, ...], derived: DerivedColumns) -> Encoder:
        encoder = cls((), features=None, form=FormOptions(), derived=derived)
        encoder._encodings = encodings
        return encoder

    def as_dict(self) -> dict[str, Any]:
        """Return plain values (strings, numbers, lists) from which `from_dict` builds an equal encoder."""
        columns = [encoding.as_dict() for encoding in self.encodings_]
        return {"format": _FORMAT, "derived": self.derived.as_dict(), "columns": columns}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Encoder:
        """Return the encoder that `as_dict` wrote; it transforms, and cannot be fitted again.

        Raises
        ------
        IntegrityError
            When `value` has another form than `as_dict` writes.
        """
        try:
            if value["format"] != _FORMAT:
                raise IntegrityError(f"encoder: format {value['format']!r} is not known; this version reads {_FORMAT}")
            encodings = tuple(_encoding_from_dict(plain) for plain in value["columns"])
            derived = DerivedColumns.from_dict(value["derived"])
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"encoder: invalid content ({error}); restore the package") from error
        return cls._from_encodings(encodings, derived)


def _class_codes(y: Any) -> NDArray[np.int64]:
    """Return codes as they are, and any other labels as their positions in sorted order."""
    labels = np.asarray(y)
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    return np.asarray(np.unique(labels.astype(str), return_inverse=True)[1], dtype=np.int64)


def make_encoder(schema: Schema, features: FeaturesConfig, inputs: EstimatorInputsConfig, *, seed: int = 0) -> Encoder:
    """Return an unfitted encoder of the features of `schema`; `auto` follows the declared `inputs` of the model."""
    form = FormOptions(
        missing=inputs.missing if features.missing == "auto" else features.missing,
        imputation=features.imputation,
        missing_indicators=features.missing_indicators,
        categories=inputs.categories if features.categories == "auto" else features.categories,
        scale=inputs.scale if features.scale == "auto" else features.scale,
    )
    derived = DerivedColumns.of_schema(features.derived, schema)
    return Encoder(schema.features, features=features, form=form, seed=seed, derived=derived)


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column of rows, and the columns of the matrix that encode it."""

    encoding: ColumnEncoding
    values: Any
    start: int
    stop: int


def _write_cells(encoding: ColumnEncoding, values: Any, out: Matrix, write: Write) -> None:
    n_values = out.shape[1] - encoding.indicator
    with _naming(encoding.name, encoding.kind):
        is_missing = write(encoding, values, out[:, :n_values])
    if encoding.indicator:
        out[:, n_values] = is_missing


def _write_blocks(columns: Sequence[_Cells], matrix: Matrix, write: Write) -> None:
    """Write columns block by block: each is contiguous in a block, which is then transposed into the matrix."""
    if not columns:
        return
    runs: list[tuple[int, int]] = []
    for cells in columns:
        start = runs.pop()[0] if runs and runs[-1][1] == cells.start else cells.start
        runs.append((start, cells.stop))
    n_rows, n_cells = matrix.shape
    block = np.empty((n_cells, _BLOCK_ROWS), dtype=np.float32)
    for first in range(0, n_rows, _BLOCK_ROWS):
        last = min(first + _BLOCK_ROWS, n_rows)
        for cells in columns:
            out = block[cells.start : cells.stop, : last - first].T
            _write_cells(cells.encoding, _slice_values(cells.values, first, last), out, write)
        for start, stop in runs:
            matrix[first:last, start:stop] = block[start:stop, : last - first].T


def _slice_values(values: Any, first: int, last: int) -> Any:
    return values.iloc[first:last] if hasattr(values, "iloc") else values[first:last]


def _encoding_from_dict(plain: Mapping[str, Any]) -> ColumnEncoding:
    fields = {name: value for name, value in plain.items() if name != "method"}
    return ENCODINGS[plain["method"]].from_dict(fields)


@contextmanager
def _naming(name: str, kind: str) -> Iterator[None]:
    """Name the column in the errors of values that are not of its kind."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: cannot be read as {kind} ({error})") from error


def _column_values(frame: Any, name: str) -> Any:
    try:
        return frame[name]
    except KeyError:
        raise DataError(f"{name}: the rows have no such column; columns: {', '.join(map(str, frame))}") from None

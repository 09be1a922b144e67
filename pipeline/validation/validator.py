"""Validate DataFrames in a notebook or a script, with or without a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.errors import UsageError, did_you_mean
from pipeline.project import paths
from pipeline.schema.frame_input import as_frame, as_labels
from pipeline.schema.frame_schema import infer_frame_schema
from pipeline.validation.dataset_validation import validate_rows
from pipeline.validation.split_report import compare_split

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.validation_report import ValidationReport

__all__ = ["DataValidator"]


class DataValidator:
    """Validate frames, and store their reports by name.

    Parameters
    ----------
    schema : Schema, optional
        The declaration to validate against. Without one, types and categories are inferred from each frame,
        and the statistical checks run.
    config : ValidationConfig, optional
        Thresholds; those of `params.yaml` when None.
    target : str, optional
        The column to predict, without a declaration; None takes the last column with 2 to 20 classes.

    Examples
    --------
    >>> import pandas as pd
    >>> from pipeline.config.composition import compose
    >>> from pipeline.config.config_loader import build_config
    >>> thresholds = build_config(compose().values, where="conf").validation
    >>> validator = DataValidator(config=thresholds)
    >>> frame = pd.DataFrame({"age": [30, None, 41], "outcome": ["no", "yes", "no"]})
    >>> results = validator.validate_dataset(frame, "train_data")
    >>> results["missing_data"]["columns"]["age"]
    {'rows': 1, 'share': 0.333333}
    >>> validator.get_data_quality_score("train_data")
    90.0
    """

    def __init__(
        self, schema: Schema | None = None, config: ValidationConfig | None = None, *, target: str | None = None
    ) -> None:
        self._schema = schema
        self._config = config
        self._target = target
        self._reports: dict[str, ValidationReport] = {}

    def validate_dataset(self, df: Any, dataset_name: str = "dataset", *, reference: Any = None) -> dict[str, Any]:
        """Return the report of `df`, with the keys of `reports/validation.json`.

        Parameters
        ----------
        df : frame of any library, mapping of columns, or list of mappings
            Rows; columns that are not declared are listed and not checked. Names become texts. Without a declaration
            also an array of two dimensions.
        dataset_name : str
            Name of the report; it replaces an earlier report of this name.
        reference : in the forms of `df`, optional
            Rows to compare with; without them `drift` is empty.

        Raises
        ------
        DataError
            When there are no rows.
        UnsupportedFrame
            When `df` has no names of columns, or is no frame.
        UsageError
            When two columns have one name, or the target is not a column.
        ConfigError
            When a declared check is not known to Pandera.
        """
        df = self._as_frame(df, name=dataset_name)
        reference = None if reference is None else self._as_frame(reference, name="reference")
        schema = self._schema_for(df)
        if self._schema is None:
            df = _with_text_labels(df, schema)
            reference = None if reference is None else _with_text_labels(reference, schema)
        has_target = schema.target.column in df.columns
        report = validate_rows(
            df, schema, self._validation_config(), reference=reference, name=dataset_name, with_target=has_target
        )
        self._reports[dataset_name] = report
        return report.as_dict()

    def report(self, dataset_name: str) -> ValidationReport:
        """Return the report of a frame that was validated under this name.

        Raises
        ------
        UsageError
            When no frame was.
        """
        try:
            return self._reports[dataset_name]
        except KeyError:
            known = ", ".join(self._reports) or "none yet"
            hint = did_you_mean(dataset_name, self._reports)
            raise UsageError(
                f"{dataset_name!r} was not validated; known: {known}{hint}. Call validate_dataset first"
            ) from None

    def get_data_quality_score(self, dataset_name: str) -> float:
        """Return the quality of a validated frame, 0 to 100; `docs/reference/validation.md` has the formula."""
        return float(f"{self.report(dataset_name).quality.score:.6g}")

    def validate_train_test_split(
        self, X_train: Any, X_test: Any, y_train: Any, y_test: Any, *, seed: int = 0
    ) -> dict[str, Any]:
        """Return the comparison of a split: sizes, classes, overlap, drift, adversarial AUC.

        Parameters
        ----------
        X_train, X_test : frame of any library, or array of two dimensions
            Features.
        y_train, y_test : array-like
            Classes of their rows.
        seed : int
            Seed of the tree that predicts the part of a row.
        """
        X_train = as_frame(X_train, name="X_train", takes_positions=True)
        X_test = as_frame(X_test, name="X_test", takes_positions=True)
        name = self._schema.target.column if self._schema is not None else _unused_column_name(X_train)
        train = X_train.assign(**{name: _to_text_labels(y_train)})
        test = X_test.assign(**{name: _to_text_labels(y_test)})
        schema = self._schema if self._schema is not None else infer_frame_schema(train, target=name, other=test)
        return compare_split(train, test, schema, self._validation_config(), seed=seed).as_dict()

    def detect_data_drift(self, df: Any, reference: Any) -> list[dict[str, Any]]:
        """Return the drift of each column of `df` against `reference`."""
        drift: list[dict[str, Any]] = self.validate_dataset(df, "drift", reference=reference)["drift"]
        return drift

    def _validation_config(self) -> ValidationConfig:
        if self._config is None:
            if not paths.PARAMS.exists():
                raise UsageError(
                    f"{paths.PARAMS} not found: run in the project's folder, or pass config to DataValidator"
                )
            self._config = load_params(paths.PARAMS).validation
        return self._config

    def _as_frame(self, rows: Any, *, name: str) -> pd.DataFrame:
        # Without a declaration the columns of an array may be called by their positions.
        return as_frame(rows, name=name, takes_positions=self._schema is None)

    def _schema_for(self, df: pd.DataFrame) -> Schema:
        return self._schema if self._schema is not None else infer_frame_schema(df, target=self._target)


def _unused_column_name(frame: pd.DataFrame) -> str:
    name = "target"
    while name in frame.columns:
        name += "_"
    return name


def _with_text_labels(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return `frame` with its labels as texts: those of an inferred schema are, whatever type they had."""
    name = schema.target.column
    if name not in frame.columns:
        return frame
    return frame.assign(**{name: _to_text_labels(frame[name])})


def _to_text_labels(values: Any) -> Any:
    return as_labels(values).astype("string").to_numpy(dtype=object)

"""The matrix that every estimator sees: equal for a row alone and among others, whatever form the rows have."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

from pipeline.errors import ConfigError, DataError, IntegrityError
from pipeline.modeling.encoding import Encoder, make_encoder
from pipeline.schema import Column
from tests.fixtures.private_columns import PRIVATE_POLICIES, people, people_schema
from tests.fixtures.toy_dataset import rows, schema, settings
from tests.fixtures.value_search import ValueSearch
from tests.pipeline.modeling.encoding.builders import encoder_of

FEATURES = schema().features
FORMS = (
    {},
    {"missing": "impute"},
    {"missing": "impute", "categories": "one_hot", "scale": "standard"},
    {"missing": "impute", "missing_indicators": "never", "imputation": "mean"},
    {"missing": "native", "missing_indicators": "always", "categories": "one_hot"},
)
ODD_TEXT = st.text(max_size=12) | st.sampled_from(
    ["note 1", "NOTE 12 note 1", "", " ", "\U0001f600 note", "note " * 900]
)
RECORD = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "count": st.none() | st.integers(-(2**40), 2**40),
        "colour": st.none() | st.sampled_from(["blue", "red", "green", ""]),
        "is_new": st.none() | st.booleans(),
        "note": st.none() | ODD_TEXT,
        "seen_at": st.none() | st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")),
    }
)


def typed(records: list[dict[str, object]]) -> pd.DataFrame:
    kinds = {column.name: "string" if column.kind == "category" else column.dtype for column in FEATURES}
    return pd.DataFrame(
        {name: pd.Series([record[name] for record in records], dtype=kind) for name, kind in kinds.items()}
    )


@cache
def fitted(**form: str) -> Encoder:
    return encoder_of(FEATURES, **form).fit(rows())


@given(records=st.lists(RECORD, min_size=1, max_size=12), form=st.sampled_from(FORMS), data=st.data())
@examples(max_examples=40, deadline=None)
def test_a_row_gets_the_same_bits_in_any_order_alone_and_as_plain_values(records, form, data) -> None:
    encoder = fitted(**form)
    matrix = encoder.transform(typed(records))
    order = data.draw(st.permutations(range(len(records))))
    assert np.array_equal(encoder.transform(typed([records[at] for at in order])), matrix[list(order)], equal_nan=True)
    alone = np.concatenate([encoder.transform(typed([record])) for record in records])
    assert np.array_equal(alone, matrix, equal_nan=True)
    plain = {name: [record[name] for record in records] for name in records[0]}
    assert np.array_equal(encoder.transform(plain), matrix, equal_nan=True)


@pytest.mark.parametrize("form", [FORMS[0], FORMS[2]])
def test_rows_of_several_blocks_get_the_same_bits_as_a_few_at_a_time(form: dict[str, str]) -> None:
    frame = rows(20_000, seed=2)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    encoder = fitted(**form)
    parts = [encoder.transform(frame.iloc[at : at + 500]) for at in range(0, len(frame), 500)]
    matrix = np.concatenate(parts)
    plain = {name: table.column(name).to_pylist() for name in table.column_names}
    arrays = {name: table.column(name).combine_chunks() for name in table.column_names}
    for columns in (frame, arrays, plain):
        assert np.array_equal(encoder.transform(columns), matrix, equal_nan=True)


@given(records=st.lists(RECORD, min_size=1, max_size=8), form=st.sampled_from(FORMS))
@examples(max_examples=40, deadline=None)
def test_a_filled_matrix_is_whole_and_finite_for_any_row(records, form) -> None:
    matrix = fitted(**form).transform(typed(records))
    assert matrix.dtype == np.float32
    assert not np.isinf(matrix).any()
    assert form.get("missing") != "impute" or not np.isnan(matrix).any()


@pytest.mark.parametrize("form", FORMS)
def test_an_encoder_is_stored_as_plain_values(form: dict[str, str]) -> None:
    encoder = fitted(**form)
    again = Encoder.from_dict(json.loads(json.dumps(encoder.as_dict())))
    assert again.feature_names_out_ == encoder.feature_names_out_
    assert np.array_equal(again.transform(rows(seed=1)), encoder.transform(rows(seed=1)), equal_nan=True)


def small(values: list[object], kind: str = "float", **settings_: str) -> list[object]:
    dtype, words = ("string", ("a", "b")) if kind == "category" else ("Float64", ())
    column = Column("x", kind, dtype, nullable=True, categories=words)
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    return encoder_of([column], **settings_).fit_transform(frame).tolist()


def test_a_missing_number_is_imputed_with_the_median_and_indicated() -> None:
    assert small([1.0, None, 2.0, 9.0], missing="impute") == [[1, 0], [2, 1], [2, 0], [9, 0]]


def test_a_missing_number_is_filled_with_the_mean() -> None:
    assert small([1.0, None, 2.0, 9.0], missing="impute", imputation="mean", missing_indicators="never") == [
        [1],
        [4],
        [2],
        [9],
    ]


def test_scaled_numbers_have_mean_zero_and_deviation_one() -> None:
    assert small([1.0, 3.0], scale="standard") == [[-1], [1]]


def test_a_constant_number_is_not_divided_by_zero() -> None:
    assert small([5.0, 5.0], scale="standard") == [[0], [0]]


def test_categories_are_positions_and_undeclared_ones_follow_the_last() -> None:
    assert small(["a", "b", "c", None], "category", missing="impute") == [[0], [1], [2], [-1]]


def test_categories_are_columns_and_undeclared_ones_are_zeros() -> None:
    matrix = small(["a", "b", "c", None], "category", missing="impute", categories="one_hot")
    assert matrix == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_a_column_that_was_never_seen_is_filled_with_zero() -> None:
    assert small([None, None], missing="impute", missing_indicators="never") == [[0], [0]]


def test_numbers_beyond_float32_are_clipped() -> None:
    largest = float(np.finfo(np.float32).max)
    assert small([1e300, -1e300]) == [[largest], [-largest]]


def test_ids_and_the_target_are_left_out() -> None:
    assert fitted().feature_names_in_ == ("size", "count", "colour", "is_new", "seen_at", "note")


def test_auto_follows_what_the_model_wants() -> None:
    config = settings("model=logistic_regression")
    encoder = make_encoder(schema(), config.features, config.model.inputs)
    assert (encoder.form.missing, encoder.form.categories, encoder.form.scale) == ("impute", "one_hot", "standard")


def test_the_features_group_overrides_the_model() -> None:
    config = settings("features.scale=none", "features.categories=codes")
    encoder = make_encoder(schema(), config.features, config.model.inputs)
    assert (encoder.form.categories, encoder.form.scale) == ("codes", "none")


def test_scikit_learn_can_clone_it() -> None:
    assert clone(fitted(missing="impute")).get_params()["form"].missing == "impute"


def test_an_absent_column_is_named() -> None:
    with pytest.raises(DataError, match="colour: the rows have no such column"):
        fitted().transform(rows().drop(columns="colour"))


def test_a_value_of_another_kind_is_named_with_its_column() -> None:
    with pytest.raises(DataError, match="size: cannot be read as float"):
        fitted().transform(rows().astype({"size": object}).assign(size="tall"))


def test_an_unfitted_encoder_is_refused() -> None:
    with pytest.raises(DataError, match="call fit first"):
        encoder_of(FEATURES).transform(rows())


def test_a_declaration_without_a_feature_is_refused() -> None:
    with pytest.raises(ConfigError, match="no column has the role feature"):
        encoder_of([Column("row", "integer", "Int64", role="id")]).fit({"row": [1]})


@pytest.mark.parametrize("change", [{"format": 9}, {"columns": [{"name": "x"}]}, {"columns": 3}])
def test_invalid_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="encoder"):
        Encoder.from_dict({**fitted().as_dict(), **change})


@pytest.mark.parametrize("store", PRIVATE_POLICIES)
@pytest.mark.parametrize("form", FORMS)
def test_an_estimator_sees_no_single_persons_value_of_a_private_column(store: str, form: dict[str, str]) -> None:
    frame = people()
    encoder = encoder_of(people_schema(store).features, **{**form, "scale": "none"}).fit(frame)
    matrix = encoder.transform(frame)
    for name, number in (("amount", frame["amount"]), ("number", frame["number"])):
        values = set(number.dropna().astype(float).astype("float32"))
        assert values.isdisjoint(matrix[:, encoder.feature_names_out_.index(name)])
    assert ValueSearch(frame).in_bytes(json.dumps(encoder.as_dict()).encode()) == set()


def test_too_few_values_of_a_private_column_are_encoded_as_present() -> None:
    frame = people(12)
    frame.loc[3:, "amount"] = None
    matrix = encoder_of(people_schema("drop").features[:1]).fit(frame).transform(frame)
    assert matrix[:, 0].tolist()[:3] == [0.0] * 3
    assert np.isnan(matrix[3:]).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_row_with_private_columns_gets_the_same_bits_alone(form: dict[str, str]) -> None:
    frame = people(80)
    encoder = encoder_of(people_schema("bin").features, **form).fit(frame)
    alone = np.concatenate([encoder.transform(frame.iloc[at : at + 1]) for at in range(len(frame))])
    assert np.array_equal(alone, encoder.transform(frame), equal_nan=True)


def test_it_passes_the_estimator_checks_that_need_no_array() -> None:
    config = settings("model=logistic_regression")
    encoder = make_encoder(schema(), config.features, config.model.inputs)
    # Its columns are declared by name, which the tag says: scikit-learn's other checks fit arrays without names.
    assert get_tags(encoder).input_tags.two_d_array is False
    with pytest.warns(SkipTestWarning, match="two_d_array=False"):
        assert {result["status"] for result in check_estimator(encoder, on_skip=None)} == {"passed"}


def test_a_pipeline_of_scikit_learn_takes_it_with_labels_of_any_type() -> None:
    config, frame = settings("model=logistic_regression"), rows(200)
    encoder = make_encoder(schema(), config.features, config.model.inputs)
    model = make_pipeline(encoder, LogisticRegression(max_iter=500))
    assert cross_val_score(model, frame, frame["answer"].astype(object), cv=2).min() > 0.7
    fitted = clone(model).fit(frame, frame["answer"] == "yes")
    check_is_fitted(fitted[0])
    assert fitted[:1].get_feature_names_out().tolist() == list(fitted[0].feature_names_out_)


def test_its_output_is_a_frame_where_that_is_chosen() -> None:
    encoder, frame = clone(encoder_of(FEATURES).set_output(transform="pandas")), rows(20)
    output = encoder.fit_transform(frame.set_index("row"), np.arange(20) % 2)
    assert list(output.columns) == list(encoder.feature_names_out_)
    assert list(output.index) == list(frame["row"])
    encoder.set_output(transform="default")
    expected = encoder_of(FEATURES).fit(frame).transform(frame)
    assert np.array_equal(encoder.transform(frame), expected, equal_nan=True)


def test_another_output_is_refused() -> None:
    with pytest.raises(ConfigError, match="found 'polars'; expected default or pandas"):
        encoder_of(FEATURES).set_output(transform="polars")
